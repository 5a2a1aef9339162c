import { MAX_DEPTH } from './message-shape.ts'

/** Upper half of the greatest number that is an integer to JavaScript; beyond, there are floats. */
const MAX_SAFE_HIGH = 0x1f_ffff

/**
 * True only for MessagePack that is what `encodeCanonical` writes: each length and integer in its shortest form, the keys
 * of maps ASCII texts in rising order. False says nothing: floats, texts beyond ASCII and whatever else is rare are left
 * to those who encode the value again. `bytes` hold one well-formed value (`checkMessageShape`).
 */
export function isPlainlyCanonical(bytes: Uint8Array): boolean {
  return walkValue(new Walk(bytes), 1)
}

class Walk {
  readonly bytes: Uint8Array
  readonly view: DataView
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
}

function walkValue(walk: Walk, depth: number): boolean {
  if (depth > MAX_DEPTH) return false
  const type = walk.bytes[walk.at++] as number
  if (type < 0x80 || type >= 0xe0) return true
  if (type < 0x90) return walkMap(walk, type & 0x0f, depth)
  if (type < 0xa0) return walkArray(walk, type & 0x0f, depth)
  if (type < 0xc0) return walkText(walk, type & 0x1f)
  switch (type) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return true
    case 0xc4:
      return walkBinary(walk, readCount(walk, 1), 0)
    case 0xc5:
      return walkBinary(walk, readCount(walk, 2), 0x100)
    case 0xc6:
      return walkBinary(walk, readCount(walk, 4), 0x1_0000)
    case 0xcc:
      return readCount(walk, 1) >= 0x80
    case 0xcd:
      return readCount(walk, 2) >= 0x100
    case 0xce:
      return readCount(walk, 4) >= 0x1_0000
    case 0xcf: {
      const high = readCount(walk, 4)
      walk.at += 4
      return high > 0 && high <= MAX_SAFE_HIGH
    }
    case 0xd9: {
      const length = readCount(walk, 1)
      return length >= 0x20 && walkText(walk, length)
    }
    case 0xda: {
      const length = readCount(walk, 2)
      return length >= 0x100 && walkText(walk, length)
    }
    case 0xdb: {
      const length = readCount(walk, 4)
      return length >= 0x1_0000 && walkText(walk, length)
    }
    case 0xdc: {
      const length = readCount(walk, 2)
      return length >= 0x10 && walkArray(walk, length, depth)
    }
    case 0xde: {
      const length = readCount(walk, 2)
      return length >= 0x10 && walkMap(walk, length, depth)
    }
    default:
      return false
  }
}

function walkArray(walk: Walk, length: number, depth: number): boolean {
  for (let i = 0; i < length; i++) if (!walkValue(walk, depth + 1)) return false
  return true
}

function walkMap(walk: Walk, length: number, depth: number): boolean {
  let before: Uint8Array | undefined
  for (let i = 0; i < length; i++) {
    const type = walk.bytes[walk.at] as number
    // Longer keys are names that people give; those of changes fit.
    if (type < 0xa0 || type >= 0xc0) return false
    const start = walk.at + 1
    if (!walkValue(walk, depth + 1)) return false
    const key = walk.bytes.subarray(start, walk.at)
    if (before !== undefined && Buffer.compare(before, key) >= 0) return false
    before = key
    if (!walkValue(walk, depth + 1)) return false
  }
  return true
}

function walkBinary(walk: Walk, length: number, least: number): boolean {
  walk.at += length
  return length >= least
}

function walkText(walk: Walk, length: number): boolean {
  const end = walk.at + length
  for (; walk.at < end; walk.at++) if ((walk.bytes[walk.at] as number) >= 0x80) return false
  return true
}

function readCount(walk: Walk, width: 1 | 2 | 4): number {
  const { at } = walk
  walk.at += width
  if (width === 1) return walk.bytes[at] as number
  return width === 2 ? walk.view.getUint16(at) : walk.view.getUint32(at)
}
