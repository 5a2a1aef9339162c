import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Runtime } from '../../core/index.ts'
import { isAlive } from './image-folder.ts'

/** Between two looks at what another worker makes. */
const LOOK_MS = 25

/**
 * Says among the workers of a node who makes a result, by files that only one can create: without control, and without one
 * worker knowing of another. A claim ends with its owner's process. Where claims fail, the worst is that two make the same.
 */
export class ImageClaims {
  readonly #directory: string
  readonly #runtime: Pick<Runtime, 'after'>

  constructor(directory: string, runtime: Pick<Runtime, 'after'>) {
    this.#directory = directory
    this.#runtime = runtime
  }

  /** Takes away what workers left that died over their images; most of these nobody asks for again. */
  async sweep(): Promise<void> {
    for (const key of await readdir(this.#directory).catch(() => []))
      if (!(await this.#isHeld(key))) await this.release(key)
  }

  /** True when it is ours to make, until `release`; false when another worker has claimed it. */
  async claim(key: string): Promise<boolean> {
    for (let i = 0; i < 2; i++) {
      try {
        await mkdir(this.#directory, { recursive: true, mode: 0o700 })
        await using file = await open(this.#path(key), 'wx', 0o600)
        await file.writeFile(String(process.pid))
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return true
        if (await this.#isHeld(key)) return false
        await this.release(key)
      }
    }
    return true
  }

  async release(key: string): Promise<void> {
    await rm(this.#path(key), { force: true }).catch(() => {})
  }

  /** Resolves when nobody has a claim any more, or after `mostMs`. */
  async wait(key: string, mostMs: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < mostMs; waitedMs += LOOK_MS) {
      await new Promise<void>((resolve) => this.#runtime.after(LOOK_MS, resolve))
      if (!(await this.#isHeld(key))) return
    }
  }

  #path(key: string): string {
    return join(this.#directory, key)
  }

  /** A claim of our own process is one of an earlier life with the same number: we know our own. */
  async #isHeld(key: string): Promise<boolean> {
    try {
      const text = await readFile(this.#path(key), 'latin1')
      // Created and not yet written.
      if (text === '') return true
      return Number(text) !== process.pid && isAlive(Number(text))
    } catch {
      return false
    }
  }
}
