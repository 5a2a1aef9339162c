import * as decoding from 'lib0/decoding'
import { isId, MakiError, type OperationId } from '../../core/index.ts'
import { ENTRY_BYTES, MAP, type Slot } from './update-writer.ts'

/** Structs, and ranges of deletions, of one update: ours have a few thousand, a whole document in one has what it has. */
const MAX_ITEMS = 131_072
/** Processes that ever wrote into the document. */
const MAX_CLIENTS = 100_000

/** The first byte of a struct: what kind of content, and whether it follows others or has a key. */
const KIND_BITS = 0b1_1111
const KEY_BIT = 0b10_0000
const ORIGIN_BITS = 0b1100_0000
const COLLECTED = 0
const DELETED = 1
const BINARY = 3
const SKIP = 10
const KINDS = ['GC', 'Deleted', 'JSON', 'Binary', 'String', 'Embed', 'Format', 'Type', 'Any', 'Doc']

/** An entry of an update: a slot, and the bytes that stand in it. */
export interface ReadSlot extends Slot {
  /** A view of the update, not verified; undefined where the value was deleted. */
  readonly bytes: Uint8Array | undefined
}

/** Clocks that an update says are deleted. */
export interface DeletedRange {
  readonly client: number
  readonly clock: number
  readonly length: number
}

/** What a Yjs V1 update says, as told by its bytes alone. */
export interface ReadUpdate {
  /** Sets of an id that stand by themselves, those of a client in the order of their clocks as a rule. */
  readonly slots: readonly ReadSlot[]
  readonly deleted: readonly DeletedRange[]
  /** What no replica of ours writes, in words. Reading ends with the first; an update with any is not to be entered. */
  readonly foreign: readonly string[]
}

/**
 * Reads an update of at most some hundred thousand entries without building Yjs objects, which take a hundred bytes for
 * a struct that a peer writes with two. Throws MAKI_PROTOCOL for bytes that are no update, to the last byte.
 */
export function parseUpdate(update: Uint8Array): ReadUpdate {
  return walk('update', () => {
    const decoder = decoding.createDecoder(update)
    const slots: ReadSlot[] = []
    let items = 0
    for (let sections = readCount(decoder); sections > 0; sections--) {
      const structs = readCount(decoder)
      const client = readInteger(decoder)
      let clock = readInteger(decoder)
      if (structs === 0) throw refused('a client without structs')
      for (let i = 0; i < structs; i++) {
        if (++items > MAX_ITEMS) throw refused(`more than ${MAX_ITEMS} structs`)
        const struct = readStruct(decoder)
        if (typeof struct === 'string') return { slots, deleted: [], foreign: [struct] }
        if ('id' in struct) slots.push({ client, clock, ...struct })
        clock += 'id' in struct ? 1 : struct.skip
        if (!Number.isSafeInteger(clock)) throw refused('a clock beyond all numbers')
      }
    }
    const deleted: DeletedRange[] = []
    for (let clients = readCount(decoder); clients > 0; clients--) {
      const client = readInteger(decoder)
      items++
      for (let ranges = readCount(decoder); ranges > 0; ranges--) {
        if (++items > MAX_ITEMS) throw refused(`more than ${MAX_ITEMS} structs and ranges of deletions`)
        deleted.push({ client, clock: readInteger(decoder), length: readInteger(decoder) })
      }
    }
    if (items > MAX_ITEMS) throw refused(`more than ${MAX_ITEMS} clients and ranges of deletions`)
    if (decoding.hasContent(decoder)) throw refused('more than it says')
    return { slots, deleted, foreign: [] }
  })
}

/** Throws MAKI_PROTOCOL for bytes that are no state vector, or one of more clients than a cluster ever has. */
export function parseStateVector(vector: Uint8Array): Map<number, number> {
  return walk('state vector', () => {
    const decoder = decoding.createDecoder(vector)
    const clients = readInteger(decoder)
    if (clients > MAX_CLIENTS) throw refused(`more than ${MAX_CLIENTS} clients`)
    const clocks = new Map<number, number>()
    for (let i = 0; i < clients; i++) clocks.set(readInteger(decoder), readInteger(decoder))
    if (decoding.hasContent(decoder)) throw refused('more than it says')
    return clocks
  })
}

/** An entry, how many clocks are left out, or in words what it is that no replica writes. */
function readStruct(
  decoder: decoding.Decoder,
): Omit<ReadSlot, 'client' | 'clock'> | { readonly skip: number } | string {
  const info = decoder.arr[decoder.pos]
  if (info === undefined) throw refused('less than it says')
  const kind = info & KIND_BITS
  if (info === SKIP) {
    decoder.pos++
    return { skip: readInteger(decoder) }
  }
  if (kind === COLLECTED) return 'a collected range'
  if ((info & ORIGIN_BITS) !== 0) return 'an entry that follows another'
  if ((info & KEY_BIT) === 0) return 'an entry without a key'
  decoder.pos++
  if (readInteger(decoder) !== 1 || readText(decoder) !== MAP) return 'an entry outside the map of operations'
  const id = readText(decoder)
  if (!isId(id)) return 'an entry whose key is no operation id'
  if (kind === BINARY) return { id: id as OperationId, bytes: readBytes(decoder) }
  if (kind === DELETED && readInteger(decoder) === 1) return { id: id as OperationId, bytes: undefined }
  return `an entry of type ${KINDS[kind] ?? 'unknown'}`
}

function readBytes(decoder: decoding.Decoder): Uint8Array {
  const length = readInteger(decoder)
  if (decoder.pos + length > decoder.arr.length) throw refused('less than it says')
  decoder.pos += length
  return decoder.arr.subarray(decoder.pos - length, decoder.pos)
}

function readText(decoder: decoding.Decoder): string {
  const bytes = readBytes(decoder)
  // Longer ones are no name that we know; they are not worth a string.
  if (bytes.length > ENTRY_BYTES) return ''
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Of things that take a byte each at least. */
function readCount(decoder: decoding.Decoder): number {
  const count = readInteger(decoder)
  if (count > decoder.arr.length - decoder.pos) throw refused('less than it says')
  return count
}

function readInteger(decoder: decoding.Decoder): number {
  const value = decoding.readVarUint(decoder)
  if (!Number.isSafeInteger(value)) throw refused('a number beyond all numbers')
  return value
}

function walk<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof MakiError) throw cause
    throw new MakiError('MAKI_PROTOCOL', `a peer sent bytes that are no Yjs ${what}`, { cause })
  }
}

const refused = (what: string) => new MakiError('MAKI_PROTOCOL', `a peer sent a document update with ${what}`)
