import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { HashedFile } from './hash-file.ts'
import type { FoundFile } from './walk.ts'

/** What the other thread is told of a file. */
export type AsideFile = Pick<FoundFile, 'path' | 'source'>

/** What it is given: `taken` counts the files that were taken by either thread, it from the end and we from the front. */
export interface AsideWork {
  readonly files: readonly AsideFile[]
  readonly taken: Int32Array<SharedArrayBuffer>
}

/** Why a file cannot be read, as the system says it: `EACCES`. */
export interface ReadFault {
  readonly code: string
}

/** By the place of a file in the list. */
export type AsideResult = readonly [at: number, result: HashedFile | 'changed' | ReadFault]

const PROGRAM = new URL(`./hash-thread${extname(import.meta.filename)}`, import.meta.url)

/**
 * A second thread that hashes files from the end of a list while the caller hashes from its front: `take` says whether the next
 * is still free, so that each file is hashed once. A thread that cannot be started, or dies, costs time only: what it has not
 * told by `finished` is the caller's to hash.
 */
export class HashAside implements AsyncDisposable {
  readonly #taken = new Int32Array(new SharedArrayBuffer(4))
  readonly #count: number
  readonly #worker: Worker
  /** Resolves when the thread has ended, however; all that it told was handed over then. */
  readonly finished: Promise<void>

  constructor(files: readonly FoundFile[], onResult: (...result: AsideResult) => void, program: URL = PROGRAM) {
    this.#count = files.length
    const work: AsideWork = { files: files.map(({ path, source }) => ({ path, source })), taken: this.#taken }
    this.#worker = new Worker(program, { workerData: work })
    this.#worker.on('message', (results: readonly AsideResult[]) => {
      for (const result of results) onResult(...result)
    })
    // Told by its end, too.
    this.#worker.on('error', () => {})
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#worker.once('exit', () => resolve())
    this.finished = promise
  }

  /** True where the caller may take one more from the front. */
  take(): boolean {
    return Atomics.add(this.#taken, 0, 1) < this.#count
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}
