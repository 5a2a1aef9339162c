import { write } from 'node:fs'
import type { Runtime } from '../../core/index.ts'

/** What a pipe takes in one piece, or not at all (PIPE_BUF): lines of several processes then never run into each other. */
const PIECE_BYTES = 4096
/** For lines that nobody waits for; those that matter may be more. */
const OPTIONAL_BYTES = 64 * 1024
const REQUIRED_BYTES = 1024 * 1024
/** A pipe that is full, and does not let its writers wait, is tried again after so long. */
const RETRY_MS = 50

type Write = (
  fd: number,
  bytes: Uint8Array,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void

/**
 * Writes lines to a descriptor without ever making its caller wait: one piece is under way at a time, in a thread of the
 * system's, and what a slow reader leaves lying is bounded. Somebody who does not read a log must not stop a web server.
 */
export class LineWriter {
  readonly #fd: number
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #write: Write
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #isBusy = false
  #idle: (() => void)[] = []

  constructor(fd: number, runtime: Pick<Runtime, 'after'>, writeTo: Write = write) {
    this.#fd = fd
    this.#runtime = runtime
    this.#write = writeTo
  }

  /** A line that may be lost: false where it was, because there is no room. `line` ends in a line feed. */
  offer(line: string): boolean {
    return this.#take(line, OPTIONAL_BYTES)
  }

  /** A line that should be there; lost only when a reader has not read for a mebibyte. */
  put(line: string): boolean {
    return this.#take(line, REQUIRED_BYTES)
  }

  /** Resolves when all is written that was taken, or given up because nobody reads any more. */
  drained(): Promise<void> {
    if (!this.#isBusy) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #take(line: string, limitBytes: number): boolean {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.length > limitBytes) return false
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (!this.#isBusy) this.#next()
    return true
  }

  #next(): void {
    const piece = this.#takePiece()
    this.#isBusy = piece !== undefined
    if (piece !== undefined) this.#send(piece)
    else for (const tell of this.#idle.splice(0)) tell()
  }

  #send(piece: Buffer): void {
    this.#write(this.#fd, piece, (error, written) => {
      if (error?.code === 'EAGAIN') {
        this.#runtime.after(RETRY_MS, () => this.#send(piece))
      } else if (error === null && written < piece.length) this.#send(piece.subarray(written))
      // Whoever read is gone: that is no reason to end, and what they would have read is lost.
      else this.#next()
    })
  }

  /** As many whole lines as go in one piece; a longer line goes alone. */
  #takePiece(): Buffer | undefined {
    let count = 0
    let sizeBytes = 0
    for (const { length } of this.#waiting) {
      if (count > 0 && sizeBytes + length > PIECE_BYTES) break
      count++
      sizeBytes += length
    }
    if (count === 0) return undefined
    this.#waitingBytes -= sizeBytes
    return Buffer.concat(this.#waiting.splice(0, count), sizeBytes)
  }
}
