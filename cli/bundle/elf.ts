import type { BundleArch } from './bundle.ts'

/** Values of the format (System V ABI, chapters 4 and 5; the GNU extensions are not needed). */
const MACHINES: Readonly<Record<BundleArch, number>> = { x64: 62, arm64: 183 }
const PT_LOAD = 1
const PT_DYNAMIC = 2
const SHT_DYNSYM = 11
const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_STRTAB = 5n
const DT_STRSZ = 10n
const DT_SONAME = 14n
const DT_RUNPATH = 29n
const SYMBOL_BYTES = 24

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: bigint
  readonly sizeBytes: number
}

/** True for an ELF file, whatever it is for. */
export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length > 64 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).equals(Buffer.from('\x7fELF', 'latin1'))

/** The processor that an ELF file is for; undefined for another than ours. */
export function archOf(bytes: Uint8Array): BundleArch | undefined {
  const machine = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt16LE(18)
  return (Object.keys(MACHINES) as BundleArch[]).find((arch) => MACHINES[arch] === machine)
}

/**
 * A program without what no segment loads: symbols and debug information, which lie behind all that is. What reads section
 * headers finds none; the kernel and the dynamic linker read none.
 */
export function trimElf(bytes: Uint8Array): Buffer {
  const elf = Buffer.from(bytes)
  const ends = segmentsOf(elf).map(({ offset, sizeBytes }) => offset + sizeBytes)
  const trimmed = elf.subarray(0, Math.max(...ends))
  trimmed.writeBigUInt64LE(0n, 40)
  trimmed.writeUInt16LE(0, 60)
  trimmed.writeUInt16LE(0, 62)
  return trimmed
}

/**
 * Has the dynamic linker look for libraries in a folder, which may begin with `$ORIGIN` (ld.so(8)): for every process that
 * runs the program, whatever its environment. The file keeps its length: the text takes the place of the name of an exported symbol
 * that nobody asks for, and the entry that of an unused one at the end of the dynamic section. To be called before `trimElf`.
 */
export function setRunPath(bytes: Uint8Array, path: string, spare: RegExp): Buffer {
  const elf = Buffer.from(bytes)
  const dynamic = segmentsOf(elf).find(({ type }) => type === PT_DYNAMIC)
  if (dynamic === undefined) throw new Error('it is linked statically')
  const entries = Array.from({ length: dynamic.sizeBytes / 16 }, (_, i) => {
    const at = dynamic.offset + i * 16
    return { at, tag: elf.readBigUInt64LE(at), value: elf.readBigUInt64LE(at + 8) }
  })
  const value = (tag: bigint): bigint | undefined => entries.find((entry) => entry.tag === tag)?.value
  const strings = { at: offsetOf(elf, value(DT_STRTAB) ?? 0n), sizeBytes: Number(value(DT_STRSZ) ?? 0n) }
  const free = entries.findIndex(({ tag }) => tag === DT_NULL)
  // One has to stay: it ends the section.
  if (free === -1 || free + 1 >= entries.length) throw new Error('its dynamic section has no entry to spare')
  const uses = [
    ...readSymbolNames(elf),
    ...entries.filter(({ tag }) => tag === DT_NEEDED || tag === DT_SONAME).map((entry) => Number(entry.value)),
  ]
  const index = findSpare(elf, strings, uses, Buffer.byteLength(path), spare)
  elf.write(`${path}\0`, strings.at + index, 'latin1')
  const { at } = entries[free] as (typeof entries)[number]
  elf.writeBigUInt64LE(DT_RUNPATH, at)
  elf.writeBigUInt64LE(BigInt(index), at + 8)
  return elf
}

/** Where in the string table a name lies that fits, and that no other name ends in. */
function findSpare(
  elf: Buffer,
  strings: { at: number; sizeBytes: number },
  uses: readonly number[],
  lengthBytes: number,
  spare: RegExp,
): number {
  const sorted = [...new Set(uses)].sort((a, b) => a - b)
  for (const [i, index] of sorted.entries()) {
    const end = elf.indexOf(0, strings.at + index)
    const name = elf.toString('latin1', strings.at + index, end)
    const next = sorted[i + 1] ?? strings.sizeBytes
    if (name.length >= lengthBytes && spare.test(name) && next > end - strings.at) return index
  }
  throw new Error('no name in its string table can be spared')
}

/** Indexes into the string table of all dynamic symbols. */
function readSymbolNames(elf: Buffer): number[] {
  const [from, entryBytes, count] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58), elf.readUInt16LE(60)]
  for (let i = 0; i < count; i++) {
    const at = from + i * entryBytes
    if (elf.readUInt32LE(at + 4) !== SHT_DYNSYM) continue
    const [offset, sizeBytes] = [Number(elf.readBigUInt64LE(at + 24)), Number(elf.readBigUInt64LE(at + 32))]
    return Array.from({ length: sizeBytes / SYMBOL_BYTES }, (_, symbol) =>
      elf.readUInt32LE(offset + symbol * SYMBOL_BYTES),
    )
  }
  throw new Error('it has no dynamic symbols')
}

function segmentsOf(elf: Buffer): Segment[] {
  if (!isElf(elf)) throw new Error('it is no ELF file')
  const [from, entryBytes, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)]
  return Array.from({ length: count }, (_, i) => {
    const at = from + i * entryBytes
    return {
      type: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 8)),
      address: elf.readBigUInt64LE(at + 16),
      sizeBytes: Number(elf.readBigUInt64LE(at + 32)),
    }
  })
}

/** Where in the file lies what is loaded to an address. */
function offsetOf(elf: Buffer, address: bigint): number {
  const found = segmentsOf(elf).find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + BigInt(one.sizeBytes),
  )
  if (found === undefined) throw new Error('its string table is not loaded')
  return found.offset + Number(address - found.address)
}
