import { MakiError } from '../errors.ts'

/** Deeper than any change we know, shallow enough that no stack is at risk. */
export const MAX_DEPTH = 32

/**
 * Walks the heads of one MessagePack value without building it. Throws MAKI_INVALID when an array or map claims more
 * elements than bytes are left for, when values nest deeper than MAX_DEPTH, when all arrays and maps together hold more
 * than `maxValues`, or when the value does not fill the bytes. Decoders allocate an array when they read its length, so
 * 200 bytes of nested lengths end a process that does not ask this first; and a value of one byte takes some sixty when
 * it is built, so 64 MiB of them do.
 */
export function checkMessageShape(bytes: Uint8Array, maxValues = Number.POSITIVE_INFINITY): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** Values still owed at each open level. */
  const owed: number[] = [1]
  let total = 1
  let values = 1
  let at = 0
  while (owed.length > 0) {
    const level = owed.length - 1
    if (owed[level] === 0) {
      owed.pop()
      continue
    }
    owed[level] = (owed[level] as number) - 1
    total--
    if (at >= bytes.length) throw malformed('it ends early')
    const head = readHead(view, at, bytes.length)
    at = head.end
    if (head.children === 0) continue
    values += head.children
    if (values > maxValues) throw malformed(`it holds more than ${maxValues} values`)
    total += head.children
    if (total > bytes.length - at) throw malformed('it claims more elements than it has bytes')
    if (owed.length > MAX_DEPTH) throw malformed(`it is nested deeper than ${MAX_DEPTH} levels`)
    owed.push(head.children)
  }
  if (at !== bytes.length) throw malformed('bytes follow it')
}

interface Head {
  /** Where the next value starts. */
  readonly end: number
  /** Elements of an array, keys and values of a map. */
  readonly children: number
}

/** Sizes of the scalars 0xca to 0xd3: floats, then unsigned and signed integers. */
const SCALAR_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8]

function readHead(view: DataView, at: number, limit: number): Head {
  const type = view.getUint8(at)
  if (type < 0x80 || type >= 0xe0) return { end: at + 1, children: 0 }
  if (type < 0x90) return { end: at + 1, children: (type & 0x0f) * 2 }
  if (type < 0xa0) return { end: at + 1, children: type & 0x0f }
  if (type < 0xc0) return skip(at + 1, type & 0x1f, limit)
  if (type === 0xc0 || type === 0xc2 || type === 0xc3) return { end: at + 1, children: 0 }
  if (type >= 0xc4 && type <= 0xc6) return skipCounted(view, at, 1 << (type - 0xc4), limit)
  if (type >= 0xca && type <= 0xd3) return skip(at + 1, SCALAR_BYTES[type - 0xca] as number, limit)
  if (type >= 0xd9 && type <= 0xdb) return skipCounted(view, at, 1 << (type - 0xd9), limit)
  if (type >= 0xdc) {
    const width = type % 2 === 0 ? 2 : 4
    const count = readCount(view, at, width, limit)
    return { end: at + 1 + width, children: type >= 0xde ? count * 2 : count }
  }
  throw malformed('it holds an extension')
}

function skipCounted(view: DataView, at: number, width: number, limit: number): Head {
  return skip(at + 1 + width, readCount(view, at, width, limit), limit)
}

function skip(from: number, length: number, limit: number): Head {
  if (from + length > limit) throw malformed('it ends early')
  return { end: from + length, children: 0 }
}

function readCount(view: DataView, at: number, width: number, limit: number): number {
  if (at + 1 + width > limit) throw malformed('it ends early')
  if (width === 1) return view.getUint8(at + 1)
  return width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1)
}

const malformed = (why: string) => new MakiError('MAKI_INVALID', `the message is malformed: ${why}`)
