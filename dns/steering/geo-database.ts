import { readFile, stat } from 'node:fs/promises'
import { Reader, type Response } from 'mmdb-lib'
import decoder from 'mmdb-lib/lib/decoder.js'
import { asMakiError, isPlace, MakiError, type Place } from '../../core/index.ts'
import { formatIp } from '../wire/index.ts'
import { countryCenters } from './country-centers.ts'

/** No database of places comes near it; a file of a stranger shall not fill the memory of every worker. */
export const MAX_DATABASE_BYTES = 512 * 1024 * 1024

/** What a database says of an address. */
export interface DatabaseMatch {
  readonly place: Place | undefined
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string | undefined
  /** All addresses that share so many bits with the one that was asked for have the same entry. */
  readonly bits: number
}

/** What a database is, for people. */
export interface DatabaseInfo {
  readonly file: string
  readonly type: string
  /** When it was made, milliseconds since the Unix epoch. */
  readonly builtAt: number
}

interface Entry {
  readonly place: Place | undefined
  readonly country: string | undefined
}

type MmdbRecord = Record<string, unknown>

const NOTHING: Entry = { place: undefined, country: undefined }
const METADATA_MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
/** The specification's bound on how far from the end the metadata may begin. */
const METADATA_SPAN_BYTES = 128 * 1024
const MAP_TYPE = 7
/** Networks that are tried, of each family, before a file is believed: small files are walked as a whole. */
const PROBES = 1024

/**
 * A file in MaxMind's DB format 2 that says where addresses are: GeoLite2 and GeoIP2 City and Country, DB-IP, and the flat
 * ones of ip-location-db. A city's own place counts, else where the people of its country are.
 *
 * The file may be hostile or damaged: no lookup throws, follows pointers in circles, or takes longer than one pass over
 * the file, and none takes long twice.
 */
export class GeoDatabase {
  readonly info: DatabaseInfo
  readonly #reader: Reader<Response>
  readonly #bounds: Bounds
  readonly #entries = new WeakMap<object, Entry>()
  #faults = 0

  private constructor(reader: Reader<Response>, bounds: Bounds, info: DatabaseInfo) {
    this.#reader = reader
    this.#bounds = bounds
    this.info = info
  }

  /** Reads the file whole. Throws MAKI_INVALID for what is no such database, is damaged where it was tried, or says no places. */
  static async open(file: string): Promise<GeoDatabase> {
    try {
      const { size } = await stat(file)
      if (size > MAX_DATABASE_BYTES) throw new Error(`it has ${size} bytes, ${MAX_DATABASE_BYTES} are allowed`)
      return GeoDatabase.#over(await readFile(file), file)
    } catch (thrown) {
      throw new MakiError('MAKI_INVALID', `${file} cannot be used as a database of places: ${reasonOf(thrown)}`, {
        cause: thrown,
        hint: 'A file in MMDB format with countries or cities is expected, like GeoLite2-City.mmdb. See docs/geography.md.',
      })
    }
  }

  static #over(bytes: Buffer, file: string): GeoDatabase {
    checkMetadata(bytes)
    const bounds = new Bounds()
    const reader = new Reader<Response>(bytes, { cache: bounds })
    const { metadata } = reader
    const isSound =
      metadata.binaryFormatMajorVersion === 2 &&
      (metadata.ipVersion === 4 || metadata.ipVersion === 6) &&
      Number.isSafeInteger(metadata.nodeCount) &&
      metadata.nodeCount > 0 &&
      metadata.searchTreeSize < bytes.length
    if (!isSound) throw new Error('its metadata is damaged, or of another version of the format')
    const builtAt = metadata.buildEpoch.getTime()
    const database = new GeoDatabase(reader, bounds, {
      file,
      type: String(metadata.databaseType).slice(0, 100),
      builtAt: Number.isFinite(builtAt) ? builtAt : 0,
    })
    database.#probe()
    return database
  }

  /** Lookups that met damage. */
  get faults(): number {
    return this.#faults
  }

  /** `octets` are 4 or 16. */
  find(octets: Uint8Array): DatabaseMatch {
    if (octets.length === 16 && this.#reader.metadata.ipVersion === 4) return { ...NOTHING, bits: 0 }
    this.#bounds.begin()
    try {
      const [record, bits] = this.#reader.getWithPrefixLength(formatIp(octets))
      return { ...this.#entryOf(record), bits }
    } catch {
      this.#bounds.failed()
      this.#faults++
      // How far the damage reaches is not known.
      return { ...NOTHING, bits: octets.length * 8 }
    }
  }

  #entryOf(record: unknown): Entry {
    if (!isRecord(record)) return NOTHING
    let entry = this.#entries.get(record)
    if (entry === undefined) {
      entry = readEntry(record)
      this.#entries.set(record, entry)
    }
    return entry
  }

  /** Walks the first networks of each family. */
  #probe(): void {
    let places = 0
    for (const length of this.#reader.metadata.ipVersion === 4 ? [4] : [4, 16]) {
      let octets: Uint8Array | undefined = new Uint8Array(length)
      for (let probes = 0; octets !== undefined && probes < PROBES; probes++) {
        const { place, bits } = this.find(octets)
        if (this.#faults > 0) throw new Error('it is damaged')
        if (place !== undefined) places++
        octets = nextNetwork(octets, bits)
      }
    }
    if (places === 0) throw new Error('it says neither countries nor cities')
  }
}

/**
 * The library looks for the marker octet by octet through the whole file, and decodes what follows it without any bound: it
 * is handed nothing that this has not found and decoded the same way before.
 */
function checkMetadata(bytes: Buffer): void {
  const marker = bytes.subarray(-METADATA_SPAN_BYTES).lastIndexOf(METADATA_MARKER)
  if (marker < 0) throw new Error('it is not in MMDB format')
  const start = Math.max(0, bytes.length - METADATA_SPAN_BYTES) + marker + METADATA_MARKER.length
  const isOnly = bytes.indexOf(METADATA_MARKER) === start - METADATA_MARKER.length
  if (!isOnly || (bytes[start] ?? 0) >> 5 !== MAP_TYPE) throw new Error('its metadata is damaged')
  const bounds = new Bounds()
  new decoder.default(bytes, start, { get: (offset) => bounds.get(offset), set() {} }).decode(start)
}

/**
 * Stands where the library keeps what it has decoded, and so hears of every pointer before it is followed. Forgets all at
 * once when it is full: what is asked for often is back at once.
 */
class Bounds {
  /** No entry of a real database has more than some dozens. */
  static readonly MAX_POINTERS = 1000
  static readonly MAX_KEPT = 50_000

  readonly #kept = new Map<string | number, unknown>()
  readonly #failed = new Set<string | number>()
  #pointers = 0
  #first: string | number | undefined

  begin(): void {
    this.#pointers = 0
    this.#first = undefined
  }

  /** Of the lookup that began last: its entry is not tried again. */
  failed(): void {
    if (this.#first === undefined) return
    if (this.#failed.size >= Bounds.MAX_KEPT) this.#failed.clear()
    this.#failed.add(this.#first)
  }

  get(offset: string | number): unknown {
    this.#first ??= offset
    const kept = this.#kept.get(offset)
    if (kept !== undefined) return kept
    if (this.#failed.has(offset)) throw new Error('this entry is damaged')
    if (++this.#pointers > Bounds.MAX_POINTERS) throw new Error('an entry has too many pointers')
    return undefined
  }

  set(offset: string | number, value: unknown): void {
    if (this.#kept.size >= Bounds.MAX_KEPT) this.#kept.clear()
    this.#kept.set(offset, value)
  }
}

function readEntry(record: MmdbRecord): Entry {
  const country = [field(record.country, 'iso_code'), record.country_code, record.country]
    .concat(field(record.registered_country, 'iso_code'))
    .find((code): code is string => typeof code === 'string' && /^[A-Za-z]{2}$/.test(code))
    ?.toUpperCase()
  const location = isRecord(record.location) ? record.location : record
  const place = { latitude: location.latitude, longitude: location.longitude }
  const center = country === undefined ? undefined : countryCenters.get(country)
  return { country, place: isPlace(place) && !isNullIsland(place) ? { ...place } : center }
}

/** Where databases put what they cannot place. */
const isNullIsland = ({ latitude, longitude }: Place): boolean => latitude === 0 && longitude === 0

const isRecord = (value: unknown): value is MmdbRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const field = (value: unknown, name: string): unknown => (isRecord(value) ? value[name] : undefined)

/** The first address after the network of the first `bits` bits; undefined after the last one. */
function nextNetwork(octets: Uint8Array, bits: number): Uint8Array | undefined {
  const next = Uint8Array.from(octets)
  for (let i = bits - 1; i >= 0; i--) {
    const mask = 0x80 >> (i & 7)
    const index = i >> 3
    const octet = next[index] as number
    next[index] = octet ^ mask
    if ((octet & mask) === 0) return next
  }
  return undefined
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a folder',
}

function reasonOf(thrown: unknown): string {
  const { code } = thrown as NodeJS.ErrnoException
  return REASONS[code ?? ''] ?? asMakiError(thrown).message
}
