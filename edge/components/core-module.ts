import type { BinaryReader } from './binary-reader.ts'
import { checkCoreName } from './names.ts'
import { Unfit } from './unfit.ts'

/** What one instance of a core module takes from the start. */
export interface CoreModule {
  /** Pages of each memory that it defines. */
  readonly memoryPages: readonly number[]
  /** Elements of each table that it defines. */
  readonly tableElements: readonly number[]
}

/** The sections of a core module that are read, by their numbers; 13 is the last. */
export const SECTION = { type: 1, import: 2, table: 4, memory: 5, export: 7, tag: 13 }

/** Value types of WebAssembly 2.0: the four numbers, vectors, and references to functions and to what is outside. */
const VALUE_TYPES = new Set([0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f])
const REFERENCE_TYPES = new Set([0x70, 0x6f])

/**
 * Reads what of a core module others meet, its types and its sizes, and checks that it uses no feature that is not offered.
 * Code, data and the order of sections are not looked at: who compiles it does that.
 */
export function readCoreModule(reader: BinaryReader): CoreModule {
  readPreamble(reader)
  const memoryPages: number[] = []
  const tableElements: number[] = []
  let memories = 0
  while (!reader.isAtEnd) {
    const [id, section] = reader.section()
    if (id === SECTION.type) section.list(() => readFunctionType(section))
    else if (id === SECTION.import)
      section.list(() => {
        if (readImport(section) === 'memory') memories += 1
      })
    else if (id === SECTION.table) section.list(() => tableElements.push(readDefinedTable(section).min))
    else if (id === SECTION.memory) section.list(() => memoryPages.push(readMemory(section).min))
    else if (id === SECTION.export) section.list(() => readExport(section))
    else if (id === SECTION.tag) throw unsupported('exceptions (a tag)')
    else if (id > SECTION.tag) throw section.broken(`a core module in it has an unknown section ${id}`)
    else continue
    section.mustBeAtEnd()
  }
  if (memories + memoryPages.length > 1) throw unsupported('more than one memory (multi-memory)')
  return { memoryPages, tableElements }
}

/** Magic, version 1 and the layer of a core module. */
export function readPreamble(reader: BinaryReader): void {
  for (const byte of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00])
    if (reader.byte() !== byte) throw reader.broken('a core module in it does not begin as one')
}

function readFunctionType(reader: BinaryReader): void {
  if (reader.byte() !== 0x60) throw unsupported('types of the garbage collector (structs, arrays or groups of types)')
  reader.list(() => readValueType(reader))
  reader.list(() => readValueType(reader))
}

function readValueType(reader: BinaryReader): void {
  if (!VALUE_TYPES.has(reader.byte())) throw unsupported('values of types that came after WebAssembly 2.0')
}

function readImport(reader: BinaryReader): 'memory' | 'other' {
  checkCoreName(reader.name(), 'a core module that imports from a module')
  checkCoreName(reader.name(), 'an import of a core module')
  const kind = reader.byte()
  if (kind === 0x00) reader.u32()
  else if (kind === 0x01) readTable(reader)
  else if (kind === 0x02) readMemory(reader)
  else if (kind === 0x03) {
    readValueType(reader)
    if (reader.byte() > 1) throw reader.broken('an imported global is neither constant nor variable')
  } else if (kind === 0x04) throw unsupported('exceptions (an imported tag)')
  else throw unsupported(`imports of a new kind (${kind})`)
  return kind === 0x02 ? 'memory' : 'other'
}

function readExport(reader: BinaryReader): void {
  checkCoreName(reader.name(), 'an export of a core module')
  const kind = reader.byte()
  if (kind === 0x04) throw unsupported('exceptions (an exported tag)')
  if (kind > 0x04) throw unsupported(`exports of a new kind (${kind})`)
  reader.u32()
}

/** How much there is at the start, and at most; `start` and `end` are where that stands, from its flags on. */
export interface Bounds {
  readonly min: number
  readonly max: number | undefined
  readonly start: number
  readonly end: number
}

/** A memory's type, in pages of 64 KiB; a shared one, one of 64 bits or of other pages is an `Unfit`. */
export function readMemory(reader: BinaryReader): Bounds {
  const flags = reader.byte()
  if ((flags & 0x02) !== 0) throw unsupported('shared memory (threads)')
  if ((flags & 0x04) !== 0) throw unsupported('memory of 64 bits (memory64)')
  if (flags > 0x01) throw unsupported('memories with pages of another size')
  const bounds = readBounds(reader, flags)
  if (Math.max(bounds.min, bounds.max ?? 0) > 65_536) throw reader.broken('a memory of it is larger than can be')
  return bounds
}

/** A table's type; of references to functions or to what is outside. */
export function readTable(reader: BinaryReader): Bounds {
  readReferenceType(reader)
  const flags = reader.byte()
  if ((flags & 0x02) !== 0) throw unsupported('shared tables (threads)')
  if (flags > 0x01) throw unsupported('tables of 64 bits')
  return readBounds(reader, flags)
}

/** A table as the table section has it: its type, with or without what all its elements are at the start. */
export function readDefinedTable(reader: BinaryReader): Bounds {
  if (reader.peek() !== 0x40) return readTable(reader)
  reader.byte()
  if (reader.byte() !== 0x00) throw unsupported('tables of a new kind')
  const bounds = readTable(reader)
  const opcode = reader.byte()
  if (opcode === 0xd0) readHeapType(reader)
  else if (opcode === 0xd2 || opcode === 0x23) reader.u32()
  else throw unsupported('tables whose elements are computed')
  if (reader.byte() !== 0x0b) throw unsupported('tables whose elements are computed')
  return bounds
}

function readBounds(reader: BinaryReader, flags: number): Bounds {
  const start = reader.at - 1
  const min = reader.u32()
  const max = flags === 0 ? undefined : reader.u32()
  return { min, max, start, end: reader.at }
}

function readReferenceType(reader: BinaryReader): void {
  const type = reader.byte()
  if (type === 0x63 || type === 0x64) readHeapType(reader)
  else if (!REFERENCE_TYPES.has(type)) throw unsupported('tables of references that came after WebAssembly 2.0')
}

function readHeapType(reader: BinaryReader): void {
  if (!REFERENCE_TYPES.has(reader.byte())) throw unsupported('references that came after WebAssembly 2.0')
}

function unsupported(what: string): Unfit {
  return new Unfit('unsupported-feature', `A core module in the component uses ${what}, which is not offered here.`)
}
