import { stat } from 'node:fs/promises'
import type { Runtime } from '../../core/index.ts'

export interface FilePollOptions {
  readonly files: readonly string[]
  readonly runtime: Pick<Runtime, 'after'>
  /** One of the files is another one than when it was last told of, or at the start. */
  readonly onChange: () => void
  readonly everyMs?: number
}

/** Files that are replaced once in weeks; a stat costs microseconds. */
const EVERY_MS = 60_000

/**
 * Looks from time to time whether files were replaced, by an updater or an editor. A change is told once the files have
 * stayed as they are from one look to the next: what is still being written is not read. Polls, since watching sees no
 * change behind a link or a mount.
 */
export class FilePoll implements AsyncDisposable {
  readonly #options: FilePollOptions
  #told: string
  #seen: string
  #cancel: (() => void) | undefined
  #looking: Promise<void> = Promise.resolve()
  #isClosed = false

  private constructor(options: FilePollOptions, stamp: string) {
    this.#options = options
    this.#told = stamp
    this.#seen = stamp
    this.#schedule()
  }

  /** Begins with the files as they are now; one that is not there is told of when it comes. */
  static async start(options: FilePollOptions): Promise<FilePoll> {
    return new FilePoll(options, await stampOf(options.files))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#looking
  }

  #schedule(): void {
    const { runtime, everyMs = EVERY_MS } = this.#options
    this.#cancel = runtime.after(everyMs, () => {
      this.#looking = this.#look()
    })
  }

  async #look(): Promise<void> {
    const stamp = await stampOf(this.#options.files)
    if (this.#isClosed) return
    const isSettled = stamp === this.#seen
    this.#seen = stamp
    if (isSettled && stamp !== this.#told) {
      this.#told = stamp
      this.#options.onChange()
    }
    // Whoever was told may have closed it.
    if (!this.#isClosed) this.#schedule()
  }
}

/** Never rejects: a file that cannot be looked at counts as none. */
async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = files.map(async (file) => {
    const found = await stat(file, { bigint: true }).catch(() => undefined)
    return found === undefined ? '-' : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}`
  })
  return (await Promise.all(stamps)).join(' ')
}
