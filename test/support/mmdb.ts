import { findNetwork } from '../../dns/index.ts'

/** Values that a database file can hold; a number that is no whole one is a double. */
export type MmdbValue = string | number | boolean | readonly MmdbValue[] | { readonly [key: string]: MmdbValue }

export interface MmdbOptions {
  readonly ipVersion?: 4 | 6
  readonly recordSize?: 24 | 28 | 32
  readonly type?: string
  /** Seconds since the Unix epoch. */
  readonly buildEpoch?: number
}

type Side = Tree | { readonly at: number } | undefined
interface Tree {
  sides: [Side, Side]
  number: number
}

/**
 * A file in MaxMind's DB format 2.0 (https://maxmind.github.io/MaxMind-DB/) from networks in CIDR notation and what is said
 * of each; a network inside another comes after it. Written from the specification alone, so that reader and writer do not
 * share a mistake.
 */
export function writeMmdb(entries: Readonly<Record<string, MmdbValue>>, options: MmdbOptions = {}): Buffer {
  const { ipVersion = 6, recordSize = 28, type = 'Test-City', buildEpoch = 1_700_000_000 } = options
  const root: Tree = { sides: [undefined, undefined], number: 0 }
  const data: Buffer[] = []
  const offsets = new Map<string, number>()
  let size = 0
  for (const [cidr, value] of Object.entries(entries)) {
    const key = JSON.stringify(value)
    let at = offsets.get(key)
    if (at === undefined) {
      at = size
      offsets.set(key, at)
      const bytes = encode(value)
      data.push(bytes)
      size += bytes.length
    }
    insert(root, bitsOf(cidr, ipVersion), at)
  }
  const nodes: Tree[] = []
  number(root, nodes)
  const metadata = Buffer.concat([
    Buffer.from([0xe0 + 9]),
    ...pair('binary_format_major_version', uint(5, 2)),
    ...pair('binary_format_minor_version', uint(5, 0)),
    ...pair('build_epoch', uint(9, buildEpoch)),
    ...pair('database_type', encode(type)),
    ...pair('description', encode({ en: 'made by a test' })),
    ...pair('ip_version', uint(5, ipVersion)),
    ...pair('languages', encode(['en'])),
    ...pair('node_count', uint(6, nodes.length)),
    ...pair('record_size', uint(5, recordSize)),
  ])
  const records = nodes.map(({ sides }) =>
    writeNode(
      sides.map((side) => recordOf(side, nodes.length)),
      recordSize,
    ),
  )
  const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
  return Buffer.concat([...records, Buffer.alloc(16), ...data, marker, metadata])
}

function bitsOf(cidr: string, ipVersion: 4 | 6): number[] {
  const network = findNetwork(cidr)
  if (network === undefined) throw new Error(`no network: ${cidr}`)
  const bits = [...network.octets].flatMap((octet) => Array.from({ length: 8 }, (_, i) => (octet >> (7 - i)) & 1))
  const lead = ipVersion === 6 && network.octets.length === 4 ? new Array<number>(96).fill(0) : []
  return [...lead, ...bits.slice(0, network.bits)]
}

function insert(root: Tree, bits: readonly number[], at: number): void {
  let tree = root
  for (const bit of bits.slice(0, -1)) {
    const next = tree.sides[bit as 0 | 1]
    // What lay around it stays on the other side of every step.
    const below: Tree = next !== undefined && 'sides' in next ? next : { sides: [next, next], number: 0 }
    tree.sides[bit as 0 | 1] = below
    tree = below
  }
  tree.sides[bits.at(-1) as 0 | 1] = { at }
}

function number(tree: Tree, nodes: Tree[]): void {
  tree.number = nodes.length
  nodes.push(tree)
  for (const side of tree.sides) if (side !== undefined && 'sides' in side) number(side, nodes)
}

function recordOf(side: Side, count: number): number {
  if (side === undefined) return count
  return 'sides' in side ? side.number : count + 16 + side.at
}

function writeNode([left = 0, right = 0]: readonly number[], recordSize: 24 | 28 | 32): Buffer {
  const bytes = Buffer.alloc(recordSize / 4)
  if (recordSize === 28) {
    bytes.writeUIntBE(left & 0xffffff, 0, 3)
    bytes[3] = ((left >>> 24) << 4) | (right >>> 24)
    bytes.writeUIntBE(right & 0xffffff, 4, 3)
    return bytes
  }
  bytes.writeUIntBE(left, 0, recordSize / 8)
  bytes.writeUIntBE(right, recordSize / 8, recordSize / 8)
  return bytes
}

const pair = (key: string, value: Buffer): Buffer[] => [encode(key), value]

/** Types: 2 string, 3 double, 5 uint16, 6 uint32, 7 map, 9 uint64, 11 array, 14 boolean. */
function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    return Buffer.concat([control(2, bytes.length), bytes])
  }
  if (typeof value === 'boolean') return control(14, value ? 1 : 0)
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return uint(6, value)
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    return Buffer.concat([control(3, 8), bytes])
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)])
  const pairs = Object.entries(value as Record<string, MmdbValue>)
  return Buffer.concat([control(7, pairs.length), ...pairs.flatMap(([key, item]) => pair(key, encode(item)))])
}

function uint(type: number, value: number): Buffer {
  const hex = value === 0 ? '' : value.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([control(type, bytes.length), bytes])
}

function control(type: number, size: number): Buffer {
  const head = type < 8 ? type << 5 : 0
  const extended = type < 8 ? [] : [type - 7]
  if (size < 29) return Buffer.from([head | size, ...extended])
  if (size < 285) return Buffer.from([head | 29, ...extended, size - 29])
  return Buffer.from([head | 30, ...extended, (size - 285) >> 8, (size - 285) & 0xff])
}
