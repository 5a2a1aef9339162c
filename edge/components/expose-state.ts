import { BinaryReader } from './binary-reader.ts'
import { readDefinedTable, readImport, readMemory, readPreamble, SECTION } from './core-module.ts'
import { encodeU32 } from './leb.ts'
import { PAGE_BYTES } from './limits.ts'
import { Unfit } from './unfit.ts'

/** Where the state of an instance is to be found, by names that it exports for that alone, and what it is at the start. */
export interface CoreState {
  /** Its memory, its own or an imported one. */
  readonly memory: string | undefined
  /** Of the memory that it defines; undefined where it defines none. */
  readonly memoryBytes: number | undefined
  /** The variables that it defines, all of them numbers. */
  readonly globals: readonly string[]
  /** All tables, its own and imported ones. */
  readonly tables: readonly string[]
  /** What it is started by: whoever makes an instance calls that. */
  readonly start: string | undefined
  /** What is written into the memory at the start, in this order. */
  readonly segments: readonly { readonly offset: number; readonly bytes: Uint8Array }[]
}

/** No name that a component may have holds it, so that nothing of a component is met by it: see `names.ts`. */
const MARK = "'"
/** Before these, where they are, the exports stand. */
const AFTER_EXPORTS: ReadonlySet<number> = new Set([
  SECTION.start,
  SECTION.element,
  SECTION.dataCount,
  SECTION.code,
  SECTION.data,
])
const KIND = { function: 0, table: 1, memory: 2, global: 3 }

/**
 * The same core module, exporting all that can change in an instance of it, and started by who makes one, so that an instance
 * can be set back to what it was at its start. Undefined where that cannot be told of it for sure: it has segments that it
 * may write, or do without, while it runs; variables that are no numbers; or values at the start that are computed.
 * Only for modules that were found valid.
 */
export function exposeState(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly state: CoreState } | undefined {
  try {
    return expose(bytes)
  } catch (error) {
    if (error instanceof Unfit) return undefined
    throw error
  }
}

function expose(bytes: Uint8Array): { bytes: Uint8Array; state: CoreState } | undefined {
  const reader = new BinaryReader(bytes, { items: 0 })
  readPreamble(reader)
  const head = bytes.subarray(0, reader.at)
  const pieces: { readonly id: number; readonly bytes: Uint8Array }[] = []
  const count = { function: 0, table: 0, memory: 0, global: 0 }
  const globals: number[] = []
  const segments: { offset: number; bytes: Uint8Array }[] = []
  let exported = { count: 0, items: new Uint8Array(0) }
  let memoryBytes: number | undefined
  let start: number | undefined
  while (!reader.isAtEnd) {
    const from = reader.at
    const [id, section] = reader.section()
    if (id === SECTION.export) {
      const items = section.u32()
      exported = { count: items, items: Uint8Array.from(bytes.subarray(section.at, section.end)) }
      continue
    }
    if (id === SECTION.start) {
      start = section.u32()
      continue
    }
    if (id === SECTION.import) for (const kind of section.list(() => readImport(section))) count[kind] += 1
    if (id === SECTION.table) count.table += section.list(() => readDefinedTable(section)).length
    if (id === SECTION.memory)
      for (const { min } of section.list(() => readMemory(section))) {
        count.memory += 1
        memoryBytes = min * PAGE_BYTES
      }
    if (id === SECTION.global)
      section.list(() => {
        const isNumber = NUMBERS.has(section.byte())
        const isVariable = section.byte() === 1
        skipConstant(section)
        if (isVariable && !isNumber) throw section.broken('a variable of it is no number')
        if (isVariable) globals.push(count.global)
        count.global += 1
      })
    if (id === SECTION.element) section.list(() => skipElements(section))
    if (id === SECTION.data) segments.push(...section.list(() => readSegment(section)))
    pieces.push({ id, bytes: bytes.subarray(from, reader.at) })
  }
  // One at most, as `readCoreModule` has it.
  if (count.memory > 1) return undefined
  const added: [name: string, kind: number, index: number][] = [
    ...(count.memory === 0 ? [] : [[`${MARK}memory`, KIND.memory, 0] as [string, number, number]]),
    ...globals.map((index): [string, number, number] => [`${MARK}global ${index}`, KIND.global, index]),
    ...Array.from({ length: count.table }, (_, i): [string, number, number] => [`${MARK}table ${i}`, KIND.table, i]),
    ...(start === undefined ? [] : [[`${MARK}start`, KIND.function, start] as [string, number, number]]),
  ]
  const items = [exported.items, ...added.map(encodeExport)]
  const body = Buffer.concat([encodeU32(exported.count + added.length), ...items])
  const section = Buffer.concat([Uint8Array.of(SECTION.export), encodeU32(body.length), body])
  const found = pieces.findIndex(({ id }) => AFTER_EXPORTS.has(id))
  const at = found === -1 ? pieces.length : found
  const parts = pieces.map((piece) => piece.bytes)
  const names = (kind: number) => added.filter(([, own]) => own === kind).map(([name]) => name)
  return {
    bytes: Buffer.concat([head, ...parts.slice(0, at), section, ...parts.slice(at)]),
    state: {
      memory: names(KIND.memory)[0],
      memoryBytes,
      globals: names(KIND.global),
      tables: names(KIND.table),
      start: names(KIND.function)[0],
      segments,
    },
  }
}

/** i32, i64, f32, f64. */
const NUMBERS: ReadonlySet<number> = new Set([0x7f, 0x7e, 0x7d, 0x7c])

function encodeExport([name, kind, index]: readonly [name: string, kind: number, index: number]): Uint8Array {
  const text = Buffer.from(name)
  return Buffer.concat([encodeU32(text.length), text, Uint8Array.of(kind), encodeU32(index)])
}

/** One instruction and its end: what numbers and references begin with. */
function skipConstant(reader: BinaryReader): void {
  const opcode = reader.byte()
  if (opcode === 0x41 || opcode === 0x42) skipNumber(reader)
  else if (opcode === 0x43) reader.take(4)
  else if (opcode === 0x44) reader.take(8)
  else if (opcode === 0x23 || opcode === 0xd2) reader.u32()
  else if (opcode === 0xd0) reader.byte()
  else throw reader.broken('a value at the start is computed')
  if (reader.byte() !== 0x0b) throw reader.broken('a value at the start is computed')
}

function skipNumber(reader: BinaryReader): void {
  while (reader.byte() >= 0x80);
}

/** `i32.const` and its end. */
function readOffset(reader: BinaryReader): number {
  if (reader.byte() !== 0x41) throw reader.broken('where a segment lies is computed')
  let value = 0
  let shift = 0
  let byte: number
  do {
    byte = reader.byte()
    // Bits beyond the 32nd repeat the sign.
    if (shift < 32) value |= (byte & 0x7f) << shift
    shift += 7
  } while (byte >= 0x80)
  if (shift < 32 && (byte & 0x40) !== 0) value |= -1 << shift
  if (reader.byte() !== 0x0b) throw reader.broken('where a segment lies is computed')
  return value >>> 0
}

/** Of the kind that is written at the start and is gone then. */
function readSegment(reader: BinaryReader): { offset: number; bytes: Uint8Array } {
  const flags = reader.u32()
  if (flags !== 0 && !(flags === 2 && reader.u32() === 0)) throw reader.broken('a segment is there while it runs')
  const offset = readOffset(reader)
  const { bytes, at, end } = reader.take(reader.u32())
  return { offset, bytes: Uint8Array.from(bytes.subarray(at, end)) }
}

/** Written at the start, or only declared. */
function skipElements(reader: BinaryReader): void {
  const flags = reader.u32()
  const isPassive = (flags & 1) !== 0
  const isDeclared = flags === 3 || flags === 7
  if (flags > 7 || (isPassive && !isDeclared)) throw reader.broken('elements are there while it runs')
  if (!isPassive) {
    if ((flags & 2) !== 0) reader.u32()
    skipConstant(reader)
  }
  // A kind, or a type.
  if (flags !== 0 && flags !== 4) reader.byte()
  reader.list(() => ((flags & 4) === 0 ? reader.u32() : skipConstant(reader)))
}
