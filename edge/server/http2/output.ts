import type { BufferPool } from './buffer-pool.ts'
import { FRAME_HEAD_BYTES } from './frames.ts'

const LEAST_BYTES = 512

/** Frames that wait to be written in one piece. Holds no memory while there are none. */
export class Output {
  readonly #pool: BufferPool
  #bytes: Buffer | undefined
  #isPooled = false
  #length = 0

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  get length(): number {
    return this.#length
  }

  /** All that was put since the last time; undefined where that is nothing. To be released when it is written. */
  take(): { readonly bytes: Buffer; readonly release: () => void } | undefined {
    const buffer = this.#bytes
    if (buffer === undefined) return undefined
    const bytes = buffer.subarray(0, this.#length)
    const release = this.#isPooled ? () => this.#pool.give(buffer) : nothing
    this.#bytes = undefined
    this.#length = 0
    return { bytes, release }
  }

  /** Makes room for so many bytes, which then come without being moved. */
  reserve(bytes: number): Buffer {
    const needed = this.#length + bytes
    const before = this.#bytes
    if (before !== undefined && before.length >= needed) return before
    const pooled = before === undefined ? this.#pool.take(needed) : undefined
    const room = pooled ?? Buffer.allocUnsafeSlow(Math.max(needed, 2 * (before?.length ?? 0), LEAST_BYTES))
    before?.copy(room, 0, 0, this.#length)
    if (before !== undefined && this.#isPooled) this.#pool.give(before)
    this.#isPooled = pooled !== undefined
    this.#bytes = room
    return room
  }

  frameHead(length: number, type: number, flags: number, stream: number): void {
    const bytes = this.reserve(FRAME_HEAD_BYTES + length)
    const at = this.#length
    bytes[at] = length >> 16
    bytes[at + 1] = length >> 8
    bytes[at + 2] = length
    bytes[at + 3] = type
    bytes[at + 4] = flags
    bytes[at + 5] = stream >>> 24
    bytes[at + 6] = stream >> 16
    bytes[at + 7] = stream >> 8
    bytes[at + 8] = stream
    this.#length = at + FRAME_HEAD_BYTES
  }

  bytes(from: Buffer, start: number, end: number): void {
    const bytes = this.reserve(end - start)
    this.#length += from.copy(bytes, this.#length, start, end)
  }

  byte(value: number): void {
    const bytes = this.reserve(1)
    bytes[this.#length++] = value
  }

  uint16(value: number): void {
    this.byte(value >> 8)
    this.byte(value & 255)
  }

  uint32(value: number): void {
    const bytes = this.reserve(4)
    this.#length = bytes.writeUInt32BE(value >>> 0, this.#length)
  }
}

const nothing = (): void => {}
