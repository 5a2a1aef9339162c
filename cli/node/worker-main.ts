/** The process of one edge worker: takes messages from control, answers DNS and HTTP, and outlives control. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asMakiError, MakiError } from '../../core/index.ts'
import { createJsonLog, systemRuntime } from '../system.ts'
import type { EdgeMessage, EdgeReport } from './edge-messages.ts'
import { EdgeWorker } from './edge-worker.ts'

const log = createJsonLog((line) => process.stdout.write(line), systemRuntime, { worker: process.pid })
let worker: EdgeWorker | undefined
let ended = false
const [, , register] = process.argv
const entry = register === undefined ? undefined : join(register, String(process.pid))

process.on('message', (message: EdgeMessage) => void handle(message))
process.on('SIGTERM', () => void end())
// Control decides what an interrupt from the terminal means.
process.on('SIGINT', () => {})
process.on('disconnect', () => {
  if (worker === undefined) void end()
  else if (!ended) log.warn('worker.control-lost', { serving: 'the last state' })
})

async function handle(message: EdgeMessage): Promise<void> {
  switch (message.type) {
    case 'start':
      return await start(message.options)
    case 'state':
      worker?.apply(message.delta)
      return
    case 'activate':
      return await settle(message.call, async (running) => {
        await running.activate(message.domain, message.release)
        return {}
      })
    case 'count':
      return await settle(message.call, async (running) => ({ counters: await running.counters() }))
    case 'stop':
      return await end()
    default:
      message satisfies never
  }
}

async function start(options: Parameters<typeof EdgeWorker.start>[0]): Promise<void> {
  try {
    worker = await EdgeWorker.start(options, { runtime: systemRuntime, log })
    if (entry !== undefined && register !== undefined) {
      await mkdir(register, { recursive: true, mode: 0o700 })
      await writeFile(entry, '')
    }
    report({ type: 'ready', addresses: worker.addresses })
  } catch (error) {
    report({ type: 'failed', error: asMakiError(error).toJSON() })
  }
}

async function settle(call: number, act: (running: EdgeWorker) => Promise<Partial<EdgeReport>>): Promise<void> {
  try {
    if (worker === undefined) throw new MakiError('MAKI_INTERNAL', 'the worker was not started')
    report({ type: 'done', call, ...(await act(worker)) } as EdgeReport)
  } catch (error) {
    report({ type: 'done', call, error: asMakiError(error).toJSON() })
  }
}

async function end(): Promise<void> {
  if (ended) return
  ended = true
  await worker?.close()
  if (entry !== undefined) await rm(entry, { force: true })
  process.exit(0)
}

function report(message: EdgeReport): void {
  if (process.connected) process.send?.(message)
}
