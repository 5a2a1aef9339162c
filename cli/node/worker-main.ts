/** The process of one edge worker: takes messages from control, answers DNS and HTTP, and outlives control. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asMakiError, type BlobHash } from '../../core/index.ts'
import { createJsonLog, systemRuntime } from '../system.ts'
import type { EdgeMessage, EdgeOptions, EdgeReport, EdgeResult } from './edge-messages.ts'
import { EdgeWorker } from './edge-worker.ts'

const log = createJsonLog((line) => process.stdout.write(line), systemRuntime, { worker: process.pid })
const [, , register = ''] = process.argv
const entry = join(register, String(process.pid))
let worker: EdgeWorker | undefined
let listening = false
let ended = false

process.on('message', (message: EdgeMessage) => {
  if (message.type === 'begin') worker ??= begin(message.options)
  else if (worker !== undefined) void handle(worker, message)
})
process.on('SIGTERM', () => void end())
// Control decides what an interrupt from the terminal means.
process.on('SIGINT', () => {})
process.on('disconnect', () => {
  if (!listening) void end()
  else if (!ended) log.warn('worker.control-lost', { serving: 'the last state' })
})

function begin(options: EdgeOptions): EdgeWorker {
  const onBlobFailed = (hash: BlobHash) => report({ type: 'blob-failed', hash })
  return new EdgeWorker(options, { runtime: systemRuntime, log, onBlobFailed })
}

async function handle(worker: EdgeWorker, message: Exclude<EdgeMessage, { type: 'begin' }>): Promise<void> {
  switch (message.type) {
    case 'listen':
      return await settle(message.call, async () => {
        const addresses = await worker.listen(message.options)
        await mkdir(register, { recursive: true, mode: 0o700 })
        await writeFile(entry, '')
        listening = true
        return addresses
      })
    case 'state':
      return worker.apply(message.delta)
    case 'activate':
      return await settle(message.call, async () => {
        await worker.activate(message.domain, message.release)
        return undefined
      })
    case 'standings':
      return worker.setStandings(message.standings)
    case 'aliases':
      return worker.setAliases(message.addresses)
    case 'reload-places':
      return worker.reloadPlaces()
    case 'count':
      return await settle(message.call, () => worker.counters())
    case 'explain':
      return await settle(message.call, () => worker.explain(message.question))
    case 'stop':
      return await end()
    default:
      message satisfies never
  }
}

async function settle(call: number, act: () => Promise<EdgeResult>): Promise<void> {
  try {
    report({ type: 'done', call, result: await act() })
  } catch (error) {
    report({ type: 'failed', call, error: asMakiError(error).toJSON() })
  }
}

async function end(): Promise<void> {
  if (ended) return
  ended = true
  await worker?.close()
  await rm(entry, { force: true })
  process.exit(0)
}

function report(message: EdgeReport): void {
  if (process.connected) process.send?.(message)
}
