import type { BlobHash } from '../../../core/index.ts'
import { type EncodingList, packFiles } from './encoding-list.ts'

/** Those that were told of last. */
const MAX_RESULTS = 20_000

/** What transforms made and visitors ask for, so that encodings of it are of use. */
export class ResultList {
  readonly #wake: () => void
  readonly #files = new Map<BlobHash, number>()
  #isNew = false

  /** `wake` is called when there is more. */
  constructor(wake: () => void) {
    this.#wake = wake
  }

  add(hash: BlobHash, sizeBytes: number): void {
    const isKnown = this.#files.delete(hash)
    this.#files.set(hash, sizeBytes)
    if (isKnown) return
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= MAX_RESULTS) break
      this.#files.delete(oldest)
    }
    this.#isNew = true
    this.#wake()
  }

  /** All of them, where there are more than the last time. */
  takeNew(): EncodingList | undefined {
    if (!this.#isNew) return undefined
    this.#isNew = false
    const files = [...this.#files].map(([hash, sizeBytes]) => ({ hash, sizeBytes }))
    return { first: packFiles(files), rest: new Uint8Array() }
  }
}
