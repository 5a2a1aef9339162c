import { MakiError } from '../../../core/index.ts'

/**
 * Attributes of netlink (netlink(7), linux/netlink.h): length, type, payload, each on a multiple of four bytes. Numbers have the byte
 * order of the machine, unless a family says otherwise: nftables has that of the network. All our machines are little-endian.
 */
export interface Attribute {
  /** Without the flags for nesting and byte order. */
  readonly type: number
  readonly value: Buffer
}

const HEADER_BYTES = 4
const NESTED = 0x8000
const TYPE_MASK = 0x3fff
const MAX_VALUE_BYTES = 0xffff - HEADER_BYTES

const aligned = (length: number): number => (length + 3) & ~3

/** One attribute, with what fills it up. */
export function attribute(type: number, value: Uint8Array): Buffer {
  if (value.length > MAX_VALUE_BYTES) throw malformed(`an attribute of ${value.length} bytes`)
  const bytes = Buffer.alloc(aligned(HEADER_BYTES + value.length))
  bytes.writeUInt16LE(HEADER_BYTES + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, HEADER_BYTES)
  return bytes
}

/** An attribute that holds attributes. */
export const nested = (type: number, ...inner: readonly Uint8Array[]): Buffer =>
  attribute(type | NESTED, Buffer.concat(inner))

/** Text that ends with a zero byte. */
export const textAttribute = (type: number, text: string): Buffer => attribute(type, Buffer.from(`${text}\0`))

export function u8(value: number): Buffer {
  return Buffer.of(value)
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** In the byte order of the network; negative numbers as their complement. */
export function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** Attributes in their order. Throws MAKI_PROTOCOL where they are cut or lie about their length. */
export function listAttributes(bytes: Uint8Array): readonly Attribute[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const found: Attribute[] = []
  for (let at = 0; at < buffer.length; ) {
    // What fills up the last one may be left out.
    if (buffer.length - at < HEADER_BYTES) throw malformed('an attribute that is cut')
    const length = buffer.readUInt16LE(at)
    if (length < HEADER_BYTES || at + length > buffer.length) throw malformed('an attribute of a wrong length')
    found.push({
      type: buffer.readUInt16LE(at + 2) & TYPE_MASK,
      value: buffer.subarray(at + HEADER_BYTES, at + length),
    })
    at += aligned(length)
  }
  return found
}

/** Attributes by type; of those that stand twice the last. */
export const readAttributes = (bytes: Uint8Array): ReadonlyMap<number, Buffer> =>
  new Map(listAttributes(bytes).map(({ type, value }) => [type, value]))

/** A number of four bytes; undefined where it is absent or has another length. */
export const readU32 = (value: Buffer | undefined): number | undefined =>
  value?.length === 4 ? value.readUInt32LE() : undefined

/** Text up to its zero byte. */
export const readText = (value: Buffer | undefined): string | undefined => value?.toString().split('\0')[0]

const malformed = (what: string) => new MakiError('MAKI_PROTOCOL', `netlink: ${what}`)
