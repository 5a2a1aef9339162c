import { Buffer } from 'node:buffer'
import type { MakiError } from '../../core/index.ts'
import { findWireName, type NameKey } from '../wire/index.ts'

/** Makes the error that says why some data is none. */
export type Refuse = (why: string, hint?: string) => MakiError

/** Reads the data of a record from its octets; throws what `refuse` makes where they end too soon. */
export class Octets {
  readonly refuse: Refuse
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array, refuse: Refuse) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.refuse = refuse
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  readUint8(): number {
    return this.take(1)[0] as number
  }

  readUint16(): number {
    return this.take(2).readUInt16BE()
  }

  readUint32(): number {
    return this.take(4).readUInt32BE()
  }

  /** An uncompressed name: data of records that are not in a message has no other. */
  readName(): NameKey {
    const name = findWireName(this.#bytes, this.#offset)
    if (name === undefined) throw this.refuse('there is no whole name in its octets')
    this.#offset = name.end
    return name.key
  }

  /** A length octet, then so many. */
  readString(): Buffer {
    return this.take(this.readUint8())
  }

  take(count: number): Buffer {
    const end = this.#offset + count
    if (end > this.#bytes.length) throw this.refuse('its octets end too soon')
    const taken = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return taken
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#offset)
  }
}

/** 16 and 32 bits in network order. */
export const uint16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff)

export const uint32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
