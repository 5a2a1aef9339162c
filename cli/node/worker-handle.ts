import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BlobHash, MakiError } from '../../core/index.ts'
import type { EdgeMessage, EdgeOptions, EdgeReport, EdgeResult } from './edge-messages.ts'
import { NODE_FLAGS } from './node-flags.ts'

const MAIN = fileURLToPath(new URL(`./worker-main${extname(import.meta.filename)}`, import.meta.url))
export const WORKER_MARK = 'worker-main'

/** One worker process, seen from control. */
export class WorkerHandle {
  readonly pid: number
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(result: EdgeResult): void; reject(error: Error): void }>()
  #nextCall = 1
  #hasEnded = false

  /** Starts a worker that does not listen yet. `register` is the folder where it leaves its pid while it does. */
  constructor(options: EdgeOptions, register: string, onBlobFailed: (hash: BlobHash) => void = () => {}) {
    const child = fork(MAIN, [register], {
      serialization: 'advanced',
      execArgv: [...NODE_FLAGS],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child = child
    this.pid = child.pid ?? -1
    this.ended = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve(signal ?? `exit ${code}`))
      child.on('error', (error) => resolve(error.message))
    })
    child.on('message', (report: EdgeReport) => {
      if (report.type === 'blob-failed') onBlobFailed(report.hash)
      else this.#settle(report)
    })
    void this.ended.then((how) => this.#fail(how))
    // Not as an argument: everybody on the machine can read those, and there are secrets among the options.
    this.send({ type: 'begin', options })
  }

  get hasEnded(): boolean {
    return this.#hasEnded
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

  async stop(): Promise<void> {
    this.send({ type: 'stop' })
    await this.ended
  }

  #settle(report: Exclude<EdgeReport, { type: 'blob-failed' }>): void {
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
