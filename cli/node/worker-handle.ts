import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BlobHash, MakiError } from '../../core/index.ts'
import type { EdgeCounters, EdgeMessage, EdgeOptions, EdgeReport, EdgeResult } from './edge-messages.ts'
import type { AskControl } from './edge-questions.ts'
import { NODE_FLAGS } from './node-flags.ts'
import type { WorkerSocket } from './worker-sockets.ts'

const MAIN = fileURLToPath(new URL(`./worker-main${extname(import.meta.filename)}`, import.meta.url))
export const WORKER_MARK = 'worker-main'

export interface WorkerOptions {
  readonly edge: EdgeOptions
  /** The folder where it leaves its process id. */
  readonly register: string
  /** Listening sockets that it inherits, from `FIRST_SOCKET_FD` on in this order. */
  readonly sockets: readonly WorkerSocket[]
  readonly onBlobFailed?: ((hash: BlobHash) => void) | undefined
  /** Answers what it asks. */
  readonly onAsked?: AskControl | undefined
  /** It said that it is alive, with what it counted and the memory that it holds. */
  readonly onAlive?: ((counters: EdgeCounters, rssBytes: number) => void) | undefined
}

type Settled = Extract<EdgeReport, { call: number }>

/** One worker process, seen from control. */
export class WorkerHandle {
  readonly pid: number
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(result: EdgeResult): void; reject(error: Error): void }>()
  #nextCall = 1
  #hasEnded = false
  #isDismissed = false

  /** Starts a worker that does not listen yet. */
  constructor(options: WorkerOptions) {
    const { edge, register, sockets, onBlobFailed, onAsked, onAlive } = options
    const child = fork(MAIN, [register], {
      serialization: 'advanced',
      execArgv: [...NODE_FLAGS],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.map(({ fd }) => fd)],
    })
    this.#child = child
    this.pid = child.pid ?? -1
    this.ended = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve(signal ?? `exit ${code}`))
      child.on('error', (error) => resolve(error.message))
    })
    child.on('message', (report: EdgeReport) => {
      if (report.type === 'blob-failed') onBlobFailed?.(report.hash)
      else if (report.type === 'ask')
        void onAsked?.(report.question).then((answer) => this.send({ type: 'answer', ask: report.ask, answer }))
      else if (report.type === 'alive') onAlive?.(report.counters, report.rssBytes)
      else this.#settle(report)
    })
    void this.ended.then((how) => this.#fail(how))
    // Not as an argument: everybody on the machine can read those, and there are secrets among the options.
    this.send({ type: 'begin', options: edge })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** It was told to end: its end is no death. */
  get isDismissed(): boolean {
    return this.#isDismissed
  }

  send(message: EdgeMessage): void {
    // A worker that has just died is replaced, and its successor told everything.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** Resolves when the worker has done what the message asks; rejects with its error, or when it ends. */
  call(build: (call: number) => EdgeMessage): Promise<EdgeResult> {
    const call = this.#nextCall++
    return new Promise((resolve, reject) => {
      if (!this.#child.connected) {
        this.#hasEnded = true
        return reject(gone('it is gone'))
      }
      this.#calls.set(call, { resolve, reject })
      this.send(build(call))
    })
  }

  /** Lets it answer what is under way. */
  async stop(): Promise<void> {
    this.#isDismissed = true
    this.send({ type: 'stop' })
    await this.ended
  }

  /** Says and hears nothing any more: it serves on by itself. */
  letGo(): void {
    if (this.#child.connected) this.#child.disconnect()
  }

  /** For one that does not hear. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #settle(report: Settled): void {
    const waiting = this.#calls.get(report.call)
    this.#calls.delete(report.call)
    if (report.type === 'done') waiting?.resolve(report.result)
    else {
      const { code, message, hint } = report.error
      waiting?.reject(new MakiError(code, message, hint === undefined ? {} : { hint }))
    }
  }

  #fail(how: string): void {
    this.#hasEnded = true
    for (const { reject } of this.#calls.values()) reject(gone(how))
    this.#calls.clear()
  }
}

const gone = (how: string) => new MakiError('MAKI_INTERNAL', `the edge worker ended: ${how}`)
