import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Cancel, MakiError, type Runtime } from '../../../core/index.ts'
import { NODE_ALLOCATOR, NODE_FLAGS } from '../node-flags.ts'
import type { EncoderCall, EncoderReply } from './encoder-messages.ts'

const MAIN = fileURLToPath(new URL(`./encoder-main${extname(import.meta.filename)}`, import.meta.url))
/** An idle one gives its 60 MB back; the next job starts another. */
const IDLE_MS = 10_000
/** The largest files take a minute on a quiet machine; ours has the least of a busy one. */
const TIMEOUT_MS = 15 * 60_000

/**
 * The encoder in a process of its own, started when something is to be done, at the lowest priority. It may read and write
 * in one folder only: no other process, no network, nothing of our environment.
 */
export class EncoderProcess implements AsyncDisposable {
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #folder: string
  #child: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #cancelIdle: Cancel = () => {}
  #isClosed = false

  /** `folder`: the only one that it may write in. */
  constructor(folder: string, runtime: Pick<Runtime, 'after'>) {
    this.#folder = folder
    this.#runtime = runtime
  }

  /** For tests that kill it. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** One call at a time. Rejects with MAKI_INTERNAL when the process ends first, with MAKI_TIMEOUT when it takes too long. */
  async call(call: EncoderCall): Promise<EncoderReply> {
    if (this.#isClosed) throw new MakiError('MAKI_INTERNAL', 'the encoder is closed')
    this.#cancelIdle()
    const child = this.#child ?? this.#start()
    const { promise, resolve, reject } = Promise.withResolvers<EncoderReply>()
    const onEnd = () => reject(new MakiError('MAKI_INTERNAL', 'the encoder ended in the middle of its work'))
    child.once('message', resolve)
    child.once('exit', onEnd)
    child.once('error', onEnd)
    const cancel = this.#runtime.after(TIMEOUT_MS, () => {
      reject(new MakiError('MAKI_TIMEOUT', 'the encoder took too long'))
      child.kill('SIGKILL')
    })
    // One that has just died says so by `exit`.
    if (child.connected) child.send(call, () => {})
    try {
      return await promise
    } finally {
      cancel()
      child.off('message', resolve)
      child.off('exit', onEnd)
      child.off('error', onEnd)
      if (this.#child === child) this.#cancelIdle = this.#runtime.after(IDLE_MS, () => this.#end())
    }
  }

  #start(): ChildProcess {
    const { LD_LIBRARY_PATH } = process.env
    const child = fork(MAIN, [], {
      serialization: 'advanced',
      execArgv: [...NODE_FLAGS, '--permission', '--allow-fs-read=*', `--allow-fs-write=${this.#folder}`],
      // Where node finds its libraries, and nothing else.
      env: { ...NODE_ALLOCATOR, ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    const forget = () => {
      if (this.#child === child) this.#child = undefined
    }
    child.on('error', forget)
    child.on('exit', forget)
    this.#ended = child.pid === undefined ? Promise.resolve() : once(child, 'exit').catch(() => {})
    return child
  }

  #end(): void {
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancelIdle()
    this.#end()
    await this.#ended
  }
}
