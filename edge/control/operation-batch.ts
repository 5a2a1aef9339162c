import { encodeCanonical, MAX_OPERATION_BYTES, MakiError } from '../../core/index.ts'
import { CONTROL_LIMITS, type OperationsPage } from './control-api.ts'

/** The body of POST /v1/operations: a MessagePack array of binaries. A single operation is an array of one. */
export function encodeOperationBatch(operations: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encodeCanonical(operations)
}

/**
 * The operations in a batch, each a fresh copy. Throws MAKI_PROTOCOL for anything but an array of binaries and
 * MAKI_TOO_LARGE over the limits. Read by hand, because a general decoder reserves the memory that a length claims: a
 * hundred bytes of nested array headers would end the process.
 */
export function parseOperationBatch(
  bytes: Uint8Array,
  limit: number = CONTROL_LIMITS.batchOperations,
): readonly Uint8Array[] {
  const reader = new Reader(bytes)
  const count = reader.length(ARRAY)
  if (count > limit) {
    throw new MakiError('MAKI_TOO_LARGE', `the batch has ${count} operations, ${limit} are allowed`, {
      hint: 'Send them in several batches.',
    })
  }
  const operations: Uint8Array[] = []
  for (let i = 0; i < count; i++) operations.push(reader.operation())
  reader.end()
  return operations
}

/** The answer to GET /v1/operations: the MessagePack map `{operations: bin[], cursor, more}`. */
export function encodeOperationsPage(page: OperationsPage): Uint8Array<ArrayBuffer> {
  return encodeCanonical({ operations: page.operations, cursor: page.cursor, more: page.more })
}

/** Throws MAKI_PROTOCOL for anything but what `encodeOperationsPage` makes. */
export function decodeOperationsPage(bytes: Uint8Array): OperationsPage {
  // Canonical encoding sorts the keys, so the map has one spelling and needs no general decoder here either.
  const reader = new Reader(bytes)
  if (reader.length(MAP) !== 3) throw malformed('the page is not a map of three')
  reader.key('cursor')
  const cursor = reader.text()
  reader.key('more')
  const more = reader.boolean()
  reader.key('operations')
  const count = reader.length(ARRAY)
  const operations: Uint8Array[] = []
  for (let i = 0; i < count; i++) operations.push(reader.operation())
  reader.end()
  return { operations, cursor, more }
}

/** How a family of MessagePack values spells its length: in the type byte, or in 1, 2 or 4 bytes behind it. */
interface Family {
  readonly what: string
  readonly fix?: { readonly base: number; readonly max: number }
  readonly sized: Readonly<Partial<Record<number, 1 | 2 | 4>>>
}
const ARRAY: Family = { what: 'an array', fix: { base: 0x90, max: 15 }, sized: { 220: 2, 221: 4 } }
const MAP: Family = { what: 'a map', fix: { base: 0x80, max: 15 }, sized: { 222: 2, 223: 4 } }
const BINARY: Family = { what: 'binary', sized: { 196: 1, 197: 2, 198: 4 } }
const TEXT: Family = { what: 'text', fix: { base: 0xa0, max: 31 }, sized: { 217: 1, 218: 2, 219: 4 } }

const utf8 = new TextDecoder('utf-8', { fatal: true })

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    // Not the Buffer that it may be: the slice of a Buffer is a view, and one operation would keep the whole body alive.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  length({ what, fix, sized }: Family): number {
    const type = this.#view.getUint8(this.#advance(1))
    if (fix !== undefined && type >= fix.base && type <= fix.base + fix.max) return type - fix.base
    const width = sized[type]
    if (width === undefined) throw malformed(`${what} is expected at byte ${this.#at - 1}`)
    const at = this.#advance(width)
    if (width === 1) return this.#view.getUint8(at)
    return width === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  operation(): Uint8Array {
    const sizeBytes = this.length(BINARY)
    if (sizeBytes > MAX_OPERATION_BYTES) {
      throw new MakiError('MAKI_TOO_LARGE', `an operation has ${sizeBytes} bytes, ${MAX_OPERATION_BYTES} are allowed`)
    }
    const start = this.#advance(sizeBytes)
    return this.#bytes.slice(start, start + sizeBytes)
  }

  text(): string {
    const sizeBytes = this.length(TEXT)
    const start = this.#advance(sizeBytes)
    try {
      return utf8.decode(this.#bytes.subarray(start, start + sizeBytes))
    } catch (cause) {
      throw malformed('a text is not UTF-8', cause)
    }
  }

  key(name: string): void {
    if (this.text() !== name) throw malformed(`the key ${JSON.stringify(name)} is expected`)
  }

  boolean(): boolean {
    const type = this.#view.getUint8(this.#advance(1))
    if (type !== 0xc2 && type !== 0xc3) throw malformed('true or false is expected')
    return type === 0xc3
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw malformed(`${this.#bytes.length - this.#at} bytes follow the end`)
  }

  #advance(count: number): number {
    const start = this.#at
    if (start + count > this.#bytes.length) throw malformed('it ends early')
    this.#at = start + count
    return start
  }
}

function malformed(why: string, cause?: unknown): MakiError {
  return new MakiError('MAKI_PROTOCOL', `the message is not valid: ${why}`, { cause })
}
