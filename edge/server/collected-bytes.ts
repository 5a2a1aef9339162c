import type { ContentFailure } from '../message/index.ts'

const FIRST_BYTES = 4096

/**
 * Puts pieces together in one place, which doubles when it is full: however small the pieces are, they take no more than twice
 * their bytes.
 */
export class CollectedBytes {
  readonly #maxBytes: number
  readonly #mayHold: (moreBytes: number) => boolean
  #buffer: Uint8Array = new Uint8Array(0)
  #length = 0

  /** `mayHold` is asked before more memory is taken, with how much. */
  constructor(maxBytes: number, mayHold: (moreBytes: number) => boolean = () => true) {
    this.#maxBytes = maxBytes
    this.#mayHold = mayHold
  }

  /** A copy of the piece is kept; or gives why not. */
  add(piece: Uint8Array): Exclude<ContentFailure, 'gone'> | undefined {
    const length = this.#length + piece.length
    if (length > this.#maxBytes) return 'too-large'
    if (length > this.#buffer.length) {
      const size = Math.min(this.#maxBytes, Math.max(length, FIRST_BYTES, this.#buffer.length * 2))
      if (!this.#mayHold(size - this.#buffer.length)) return 'refused'
      const buffer = new Uint8Array(size)
      buffer.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = buffer
    }
    this.#buffer.set(piece, this.#length)
    this.#length = length
    return undefined
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }
}
