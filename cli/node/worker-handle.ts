import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MakiError } from '../../core/index.ts'
import type { EdgeAddresses, EdgeCounters, EdgeMessage, EdgeOptions, EdgeReport } from './edge-messages.ts'

const MAIN = fileURLToPath(new URL(`./worker-main${extname(import.meta.filename)}`, import.meta.url))
export const WORKER_MARK = 'worker-main'

/** One worker process, seen from control. */
export class WorkerHandle {
  readonly pid: number
  readonly addresses: EdgeAddresses
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #calls = new Map<number, { resolve(report: DoneReport): void; reject(error: Error): void }>()
  #nextCall = 1

  private constructor(child: ChildProcess, addresses: EdgeAddresses, ended: Promise<string>) {
    this.#child = child
    this.pid = child.pid as number
    this.addresses = addresses
    this.ended = ended
    child.on('message', (report: EdgeReport) => {
      if (report.type === 'done') this.#settle(report)
    })
    void ended.then((how) => this.#fail(how))
  }

  /** Resolves when the worker listens; rejects with its own error when it cannot. `register` is the folder where it leaves its pid. */
  static async start(options: EdgeOptions, register: string): Promise<WorkerHandle> {
    const child = fork(MAIN, [register], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const ended = new Promise<string>((resolve) => {
      child.on('exit', (code, signal) => resolve(signal ?? `exit ${code}`))
      child.on('error', (error) => resolve(error.message))
    })
    const first = new Promise<EdgeReport>((resolve) => child.once('message', (report: EdgeReport) => resolve(report)))
    child.send({ type: 'start', options } satisfies EdgeMessage)
    const outcome = await Promise.race([first, ended])
    if (typeof outcome === 'string')
      throw new MakiError('MAKI_INTERNAL', `the edge worker ended before it was ready: ${outcome}`)
    if (outcome.type === 'ready') return new WorkerHandle(child, outcome.addresses, ended)
    child.kill('SIGKILL')
    await ended
    if (outcome.type !== 'failed')
      throw new MakiError('MAKI_INTERNAL', 'the edge worker did not say whether it is ready')
    const { code, message, hint } = outcome.error
    throw new MakiError(code, message, hint === undefined ? {} : { hint })
  }

  send(message: EdgeMessage): void {
    // A worker that has just died is replaced, and its successor told everything.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  /** Resolves when the worker has done what the message asks. */
  async call(build: (call: number) => EdgeMessage): Promise<EdgeCounters | undefined> {
    const call = this.#nextCall++
    const report = await new Promise<DoneReport>((resolve, reject) => {
      if (!this.#child.connected) return reject(gone('it is gone'))
      this.#calls.set(call, { resolve, reject })
      this.send(build(call))
    })
    if (report.error === undefined) return report.counters
    const { code, message, hint } = report.error
    throw new MakiError(code, message, hint === undefined ? {} : { hint })
  }

  async stop(): Promise<void> {
    this.send({ type: 'stop' })
    await this.ended
  }

  #settle(report: DoneReport): void {
    this.#calls.get(report.call)?.resolve(report)
    this.#calls.delete(report.call)
  }

  #fail(how: string): void {
    for (const { reject } of this.#calls.values()) reject(gone(how))
    this.#calls.clear()
  }
}

type DoneReport = Extract<EdgeReport, { type: 'done' }>

const gone = (how: string) => new MakiError('MAKI_INTERNAL', `the edge worker ended: ${how}`)
