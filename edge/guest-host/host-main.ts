/**
 * The process that runs one stranger's component: see `serve.ts`. It has no environment and no keys, and gives up files, sockets
 * and programs before the first byte of a component; it ends when its owner does.
 */
import process from 'node:process'
import { confine, makeBlocking } from '../confined/index.ts'
import { hostRuntime } from './host-runtime.ts'
import { serveGuest } from './serve.ts'

/** `kernel`: no io_uring here, so that a filter of system calls holds. */
const [, , dataBytes = '0', possible = 'runtime'] = process.argv

await makeBlocking(0)
await makeBlocking(1)
const confinement = possible === 'kernel' ? await confine(Number(dataBytes)) : 'runtime'
const cpuMicros = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}
await serveGuest({ runtime: hostRuntime, confinement, cpuMicros })
