import { execFileSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { createJsonLog, systemRuntime } from '../../../cli/system.ts'
import { openNetworkControl } from '../../../replication/mesh/netlink/index.ts'
import { lawsOf } from './tunnel-conformance.ts'
import { openOurs, type World } from './tunnel-world.ts'
import { USERSPACE_LAWS } from './userspace-laws.ts'

/** What is told of each law, a line of JSON each. */
export interface Verdict {
  readonly title: string
  readonly failure?: string
  readonly figures?: Readonly<Record<string, number>>
  readonly ms: number
}

/** Only what never comes meets it, also where all is emulated. */
const PATIENCE_MS = 120_000

/** What runs in the world, where a law has stopped. */
function listProcesses(): string {
  try {
    return execFileSync('ps', ['axo', 'pid,ppid,stat,wchan:20,args'], { encoding: 'utf8' })
  } catch {
    return 'there is no ps here'
  }
}

/** `kernel` or `userspace`: tries the laws on that kind of tunnel. `hold`: opens one, with the key that it is told, until SIGTERM; SIGUSR2 hands it over. */
async function main(mode: string): Promise<void> {
  const awake = setInterval(() => {}, 60_000)
  const said: string[] = []
  const world: World = {
    kind: mode === 'kernel' ? 'kernel' : 'userspace',
    runtime: systemRuntime,
    log: createJsonLog((line) => said.push(line), systemRuntime, {}, 'debug'),
    network: await openNetworkControl(),
    command: 'wireguard-go',
  }
  if (mode === 'hold') {
    const tunnel = await openOurs(world, Buffer.from(await text(process.stdin), 'base64'))
    process.stdout.write('open\n')
    const told = await new Promise<NodeJS.Signals>((done) => {
      for (const signal of ['SIGTERM', 'SIGUSR2'] as const) process.once(signal, done)
    })
    if (told === 'SIGUSR2') tunnel.handOver()
    await tunnel[Symbol.asyncDispose]()
    process.exit()
  }
  for (const law of [...lawsOf(world.kind), ...(mode === 'kernel' ? [] : USERSPACE_LAWS)]) {
    said.length = 0
    const startMs = systemRuntime.monotonic()
    const late = Promise.withResolvers<never>()
    const patience = setTimeout(() => late.reject(new Error(`waited in vain\n${listProcesses()}`)), PATIENCE_MS)
    const verdict = await Promise.race([law.run(world), late.promise]).then(
      (figures) => (figures === undefined ? {} : { figures }),
      (error: Error) => ({ failure: `${error.stack}\n${said.join('')}` }),
    )
    clearTimeout(patience)
    process.stdout.write(
      `${JSON.stringify({ title: law.title, ...verdict, ms: Math.round(systemRuntime.monotonic() - startMs) })}\n`,
    )
  }
  world.network[Symbol.dispose]()
  clearInterval(awake)
  // What a law that failed left open holds nobody.
  process.exit()
}

const [mode] = process.argv.slice(2)
if (mode !== undefined) await main(mode)
