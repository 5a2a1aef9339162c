/** The process of one edge worker: takes messages from control, answers DNS and HTTP, and outlives control. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { asMakiError, type BlobHash } from '../../core/index.ts'
import { createJsonLog, systemRuntime } from '../system.ts'
import type { EdgeMessage, EdgeOptions, EdgeReport, EdgeResult } from './edge-messages.ts'
import type { EdgeAnswer, EdgeQuestion } from './edge-questions.ts'
import { EdgeWorker } from './edge-worker.ts'
import { LineWriter } from './line-writer.ts'
import { LogRelay } from './log-relay.ts'
import { quietListener } from './quiet-listener.ts'
import { watchUnit } from './service-unit.ts'

/** Said so often that control notices soon enough when the event loop does not turn any more. */
const ALIVE_MS = 2_000
/** For handshakes that had begun when new ones were turned to the other workers. */
const HANDSHAKES_MS = 700

const lines = new LineWriter(process.stdout.fd, systemRuntime)
const relay = new LogRelay((told) => ask({ kind: 'logged', lines: told }))
const log = createJsonLog(writeLog, systemRuntime, { worker: process.pid })
const [, , register = ''] = process.argv
const entry = join(register, String(process.pid))
let worker: EdgeWorker | undefined
const asked = new Map<number, (answer: EdgeAnswer) => void>()
let asks = 0
let listening = false
/** Listening sockets that belong to its place. */
let inherited: readonly number[] = []
let leaving = false
let ended = false

process.on('message', (message: EdgeMessage) => {
  if (message.type === 'begin') worker ??= begin(message.options)
  else if (worker !== undefined) void handle(worker, message)
})
process.on('SIGTERM', () => void leave())
// Control decides what an interrupt from the terminal means.
process.on('SIGINT', () => {})
process.on('disconnect', () => {
  for (const answer of asked.values()) answer(null)
  asked.clear()
  if (!listening) void end()
  else if (!ended) loseControl()
})

// Control was gone before anybody listened for that.
if (!process.connected) void end()

/** Serves on: the next control process is to come, unless the owner has stopped the service. */
function loseControl(): void {
  log.warn('worker.control-lost', { serving: 'the last state' })
  watchUnit(process.env, systemRuntime, () => {
    log.warn('worker.service-stopped')
    void end()
  })
}

function begin(options: EdgeOptions): EdgeWorker {
  const onBlobFailed = (hash: BlobHash) => report({ type: 'blob-failed', hash })
  const writeLine = (line: string) => lines.offer(line)
  const begun = new EdgeWorker(options, { runtime: systemRuntime, log, onBlobFailed, writeLine, ask })
  sayAlive(begun)
  return begun
}

function writeLog(line: string): void {
  lines.put(line)
  relay.tell(line)
}

/** Null where control is gone, or goes. */
function ask(question: EdgeQuestion): Promise<EdgeAnswer> {
  const { promise, resolve } = Promise.withResolvers<EdgeAnswer>()
  if (process.connected) {
    asked.set(++asks, resolve)
    report({ type: 'ask', ask: asks, question })
  } else resolve(null)
  return promise
}

function sayAlive(begun: EdgeWorker): void {
  systemRuntime.after(ALIVE_MS, async () => {
    report({ type: 'alive', counters: await begun.counters(), rssBytes: process.memoryUsage.rss() })
    sayAlive(begun)
  })
}

async function handle(worker: EdgeWorker, message: Exclude<EdgeMessage, { type: 'begin' }>): Promise<void> {
  switch (message.type) {
    case 'listen':
      return await settle(message.call, async () => {
        // First: a worker that serves must be found by the next control process, whenever this one is killed.
        await mkdir(register, { recursive: true, mode: 0o700 })
        await writeFile(entry, '')
        const addresses = await worker.listen(message.options)
        inherited = listInherited(message.options)
        listening = true
        // It was killed meanwhile.
        if (!process.connected) void end()
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
    case 'certificates':
      return worker.setCertificates(message.certificates)
    case 'ticket-keys':
      return worker.setTicketKeys(message.keys)
    case 'variants':
      return worker.setVariants(message.records)
    case 'releases':
      return worker.setReleases(message.domain, message.releases)
    case 'answer':
      asked.get(message.ask)?.(message.answer)
      asked.delete(message.ask)
      return
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

/** Dismissed by the next control process, whose workers listen beside this one: no visitor is to notice. */
async function leave(): Promise<void> {
  if (ended || leaving) return
  leaving = true
  if (listening && (await quietAll())) await new Promise<void>((resolve) => systemRuntime.after(HANDSHAKES_MS, resolve))
  // A timer comes before those who wait to be accepted, whom a listener that closes resets.
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
  await end()
}

async function quietAll(): Promise<boolean> {
  const quieted = await Promise.all(inherited.map((fd) => quietListener(fd)))
  return quieted.includes(true)
}

const listInherited = ({ dns, http }: EdgeOptions): readonly number[] =>
  [http?.fd, http?.https?.fd, dns?.fd].filter((fd) => fd !== undefined)

async function end(): Promise<void> {
  if (ended) return
  ended = true
  await worker?.close()
  await rm(entry, { force: true })
  await lines.drained()
  process.exit(0)
}

function report(message: EdgeReport): void {
  if (process.connected) process.send?.(message)
}
