import * as decoding from 'lib0/decoding'
import { MakiError } from '../../core/index.ts'

/** Up to here an update is taken apart whatever it holds: half a million structs of two bytes take some 50 MB. */
const SMALL_UPDATE_BYTES = 1024 * 1024
/** Gaps that an update may leave. Ours leave none. */
const MAX_SKIPS = 1024
/** Ranges of deletions, one for each entry that two processes set at once; neighbours are one range. */
const MAX_RANGES = 1_000_000
/** Processes that ever wrote into the document. */
const MAX_CLIENTS = 100_000

/** The first byte of a struct, as Yjs has it: what kind of content, and whether it follows others or has a key. */
const SKIP = 10
const KIND_BITS = 0b1_1111
const ORIGIN_BITS = 0b1100_0000
const KEY_BIT = 0b10_0000
const KIND_DELETED = 1
const KIND_BINARY = 3
/** Shorter ones are no operation ids. */
const MIN_KEY_OCTETS = 52

/**
 * Walks a Yjs V1 update without building it. Throws MAKI_PROTOCOL for a large one that holds anything but entries that
 * stand by themselves, under keys as long as ids, or more ranges of deletions than a cluster has. Yjs spends a hundred
 * bytes on a struct that a peer writes with two, so 64 MiB of them take gigabytes.
 */
export function checkUpdateShape(update: Uint8Array): void {
  if (update.length <= SMALL_UPDATE_BYTES) return
  walk(() => {
    const decoder = decoding.createDecoder(update)
    let skips = 0
    for (let clients = decoding.readVarUint(decoder); clients > 0; clients--) {
      const structs = decoding.readVarUint(decoder)
      if (structs === 0) throw refused('a client without structs')
      decoding.readVarUint(decoder)
      decoding.readVarUint(decoder)
      for (let i = 0; i < structs; i++) {
        const isSkip = skipStruct(decoder)
        if (isSkip && ++skips > MAX_SKIPS) throw refused(`more than ${MAX_SKIPS} gaps`)
      }
    }
    let ranges = 0
    for (let clients = decoding.readVarUint(decoder); clients > 0; clients--) {
      decoding.readVarUint(decoder)
      const count = decoding.readVarUint(decoder)
      ranges += Math.max(1, count)
      if (ranges > MAX_RANGES) throw refused(`more than ${MAX_RANGES} ranges of deletions`)
      for (let i = 0; i < 2 * count; i++) decoding.readVarUint(decoder)
    }
  }, 'update')
}

/** Throws MAKI_PROTOCOL for a state vector that claims more clients than a cluster ever has. */
export function checkVectorShape(vector: Uint8Array): void {
  walk(() => {
    const clients = decoding.readVarUint(decoding.createDecoder(vector))
    if (clients > MAX_CLIENTS) throw refused(`more than ${MAX_CLIENTS} clients`)
  }, 'state vector')
}

/** Returns true for a gap. */
function skipStruct(decoder: decoding.Decoder): boolean {
  const info = decoding.readUint8(decoder)
  if (info === SKIP) {
    decoding.readVarUint(decoder)
    return true
  }
  const kind = info & KIND_BITS
  if (kind !== KIND_DELETED && kind !== KIND_BINARY) throw refused('structs of another type')
  if ((info & ORIGIN_BITS) !== 0) throw refused('entries that follow others')
  if ((info & KEY_BIT) === 0 || decoding.readVarUint(decoder) !== 1) throw refused('entries without a key')
  skipBytes(decoder)
  if (skipBytes(decoder) < MIN_KEY_OCTETS) throw refused('entries whose key is no operation id')
  if (kind === KIND_BINARY) skipBytes(decoder)
  else decoding.readVarUint(decoder)
  return false
}

/** Passes over what its length stands before: bytes or a text. */
function skipBytes(decoder: decoding.Decoder): number {
  const length = decoding.readVarUint(decoder)
  if (decoder.pos + length > decoder.arr.length) throw refused('less than it says')
  decoder.pos += length
  return length
}

function walk(read: () => void, what: string): void {
  try {
    read()
  } catch (cause) {
    if (cause instanceof MakiError) throw cause
    throw new MakiError('MAKI_PROTOCOL', `a peer sent bytes that are no Yjs ${what}`, { cause })
  }
}

const refused = (what: string) => new MakiError('MAKI_PROTOCOL', `a peer sent a document update with ${what}`)
