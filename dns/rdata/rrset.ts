import type { NameKey } from '../wire/index.ts'
import { CLASS_IN, type RecordType, typeCode } from '../wire/index.ts'
import { encodeRdata } from './rdata.ts'
import type { Rdata } from './types.ts'

/** All records of one owner name and type (RFC 2181 section 5), encoded once. Immutable. */
export interface Rrset {
  readonly name: NameKey
  /** The type's number. */
  readonly type: number
  /** Seconds. */
  readonly ttl: number
  readonly rdata: readonly Rdata[]
  /** Each record's type, class, TTL, length and data; the owner name is written by the message. */
  readonly records: readonly Uint8Array[]
  /** Octets of the set in a message that can compress the owner name to a pointer. */
  readonly octets: number
}

/**
 * The largest set that a message over TCP (65,535 octets) can always carry, beside its question and the longest chain
 * of CNAMEs that leads there.
 */
export const MAX_RRSET_OCTETS = 60_000

const POINTER_OCTETS = 2

/**
 * A set of one record that is encoded when it is first asked for: large tables hold a million that nobody asks for soon.
 */
class SingleRrset implements Rrset {
  readonly name: NameKey
  readonly type: number
  readonly ttl: number
  readonly #data: Rdata
  #records: readonly [Uint8Array] | undefined

  constructor(name: NameKey, type: number, ttl: number, data: Rdata) {
    this.name = name
    this.type = type
    this.ttl = ttl
    this.#data = data
  }

  get rdata(): readonly Rdata[] {
    return [this.#data]
  }

  get records(): readonly Uint8Array[] {
    this.#records ??= [encodeRecord(this.type, this.ttl, encodeRdata(this.#data))]
    return this.#records
  }

  get octets(): number {
    return POINTER_OCTETS + (this.records[0]?.length ?? 0)
  }
}

const MAX_SMALL_STRINGS = 64

/** What is far from any bound, as one can tell without encoding it. */
function isSmall(data: Rdata): boolean {
  switch (data.type) {
    case 'A':
    case 'AAAA':
    case 'CNAME':
    case 'MX':
    case 'NS':
    case 'PTR':
    case 'SRV':
      return true
    case 'TXT':
      return data.strings.length <= MAX_SMALL_STRINGS
    default:
      return false
  }
}

/** The same set at another name. */
export const renameRrset = (rrset: Rrset, name: NameKey): Rrset =>
  rrset.name === name
    ? rrset
    : {
        name,
        type: rrset.type,
        ttl: rrset.ttl,
        rdata: rrset.rdata,
        records: rrset.records,
        octets: rrset.octets,
      }

/** Equal data counts once (RFC 2181 section 5). Undefined when the set is larger than MAX_RRSET_OCTETS. */
export function buildRrset(name: NameKey, type: RecordType, ttl: number, rdata: readonly Rdata[]): Rrset | undefined {
  const code = typeCode(type)
  const [only] = rdata
  if (rdata.length === 1 && only !== undefined && isSmall(only)) return new SingleRrset(name, code, ttl, only)
  const kept: Rdata[] = []
  const records: Uint8Array[] = []
  const seen = new Set<string>()
  let octets = 0
  for (const data of rdata) {
    const bytes = encodeRdata(data)
    const identity = Buffer.from(bytes).toString('latin1')
    if (seen.has(identity)) continue
    seen.add(identity)
    octets += POINTER_OCTETS + 10 + bytes.length
    if (octets > MAX_RRSET_OCTETS) return undefined
    kept.push(data)
    records.push(encodeRecord(code, ttl, bytes))
  }
  return { name, type: code, ttl, rdata: kept, records, octets }
}

/** The first `rdata` that fit. */
export function buildLargestRrset(name: NameKey, type: RecordType, ttl: number, rdata: readonly Rdata[]): Rrset {
  for (let count = rdata.length; ; count = Math.floor(count * 0.9)) {
    const rrset = buildRrset(name, type, ttl, rdata.slice(0, count))
    if (rrset !== undefined) return rrset
  }
}

function encodeRecord(code: number, ttl: number, rdata: Uint8Array): Uint8Array {
  const record = Buffer.alloc(10 + rdata.length)
  record.writeUInt16BE(code, 0)
  record.writeUInt16BE(CLASS_IN, 2)
  record.writeUInt32BE(ttl, 4)
  record.writeUInt16BE(rdata.length, 8)
  record.set(rdata, 10)
  return record
}
