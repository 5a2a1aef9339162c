import { MakiError } from '../../core/index.ts'
import { BinaryReader } from './binary-reader.ts'
import { type Bounds, readDefinedTable, readMemory, readPreamble, SECTION } from './core-module.ts'
import { PAGE_BYTES } from './limits.ts'
import { Unfit } from './unfit.ts'

/** What each memory and each table that a module defines may grow to. */
export interface ModuleLimits {
  /** Pages of 64 KiB. */
  readonly maxMemoryPages: number
  readonly maxTableElements: number
}

/**
 * The same core module, with no memory or table that can grow beyond a limit: it gets -1 from its attempt, as where there is
 * no memory. Names, types and code are the bytes that they were. What is larger than the limit from the start, or of a kind
 * that is not known here, is refused: MAKI_INVALID. Memories and tables that are imported are limited where they are defined.
 */
export function clampModule(bytes: Uint8Array, limits: ModuleLimits): Uint8Array {
  try {
    return clamp(bytes, limits)
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    throw new MakiError('MAKI_INVALID', error.message, { hint: error.fault.hint })
  }
}

function clamp(bytes: Uint8Array, { maxMemoryPages, maxTableElements }: ModuleLimits): Uint8Array {
  const reader = new BinaryReader(bytes, { items: 0 })
  readPreamble(reader)
  const pieces: Uint8Array[] = [bytes.subarray(0, reader.at)]
  while (!reader.isAtEnd) {
    const start = reader.at
    const [id, section] = reader.section()
    if (id > SECTION.tag) throw section.broken(`a core module in it has an unknown section ${id}`)
    if (id === SECTION.memory) pieces.push(...rewrite(id, section, readMemory, maxMemoryPages, refuseMemory))
    else if (id === SECTION.table) pieces.push(...rewrite(id, section, readDefinedTable, maxTableElements, refuseTable))
    else pieces.push(bytes.subarray(start, reader.at))
  }
  return Buffer.concat(pieces)
}

/** A section with the maximum of each item set; `read` leaves `reader` behind an item. */
function rewrite(
  id: number,
  section: BinaryReader,
  read: (reader: BinaryReader) => Bounds,
  limit: number,
  refuse: (min: number, limit: number) => Unfit,
): Uint8Array[] {
  const items = section.list(() => {
    const start = section.at
    const bounds = read(section)
    if (bounds.min > limit) throw refuse(bounds.min, limit)
    const { bytes } = section
    const clamped = [Uint8Array.of(1), encodeU32(bounds.min), encodeU32(Math.min(bounds.max ?? limit, limit))]
    return Buffer.concat([bytes.subarray(start, bounds.start), ...clamped, bytes.subarray(bounds.end, section.at)])
  })
  section.mustBeAtEnd()
  const body = Buffer.concat([encodeU32(items.length), ...items])
  return [Uint8Array.of(id), encodeU32(body.length), body]
}

function refuseMemory(min: number, limit: number): Unfit {
  const mebibytes = (pages: number) => `${(pages * PAGE_BYTES) / 2 ** 20} MiB`
  return new Unfit(
    'too-much-memory',
    `The component needs a memory of ${mebibytes(min)} from the start; ${mebibytes(limit)} are the most for it.`,
  )
}

function refuseTable(min: number, limit: number): Unfit {
  return new Unfit(
    'too-much-memory',
    `The component needs a table of ${min} elements from the start; ${limit} are the most.`,
  )
}

function encodeU32(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low | 0x80 : low)
  } while (rest > 0)
  return Uint8Array.from(bytes)
}
