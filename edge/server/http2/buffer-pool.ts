/** More than one connection puts together before it writes: what it may hold, and one answer that is remembered. */
const BUFFER_BYTES = 320 * 1024
/** In all, used or not; who comes when none is left allocates what it needs. */
const MAX_BUFFERS = 32

/**
 * Memory for what is written soon, used again and again: new memory of this size costs more than what is copied to it. Bounded,
 * so that clients that take nothing hold no more of it than others.
 */
export class BufferPool {
  readonly #free: Buffer[] = []
  #made = 0

  /** Undefined where so many bytes are too many, or all are in use. */
  take(bytes: number): Buffer | undefined {
    if (bytes > BUFFER_BYTES) return undefined
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made >= MAX_BUFFERS) return undefined
    this.#made++
    return Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  /** One that was taken, and is not used any more. */
  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}
