import { buildField, type Field } from './field.ts'

/** RFC 7541 appendix A: lines with a value that is worth it, then names, of which one has a value too. */
const WITH_VALUES: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
]
const NAMES = `
accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow
authorization cache-control content-disposition content-encoding content-language content-length
content-location content-range content-type cookie date etag expect expires from host if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security transfer-encoding user-agent vary via www-authenticate
`
const ENCODINGS = 'gzip, deflate'

/** The lines that need not be sent, from index 1; there is none at 0. */
export const STATIC_FIELDS: readonly (Field | undefined)[] = [
  undefined,
  ...WITH_VALUES.map(([name, value]) => buildField(name, value)),
  ...NAMES.trim()
    .split(/\s+/)
    .map((name) => buildField(name, name === 'accept-encoding' ? ENCODINGS : '')),
]

/** As large as it may be where no setting says otherwise, and here none does (RFC 9113 section 6.5.2). */
export const MAX_TABLE_BYTES = 4096

/** Lines that a peer had us keep (RFC 7541 section 2.3.2), in a ring with the newest first. */
export class DynamicTable {
  #ring: (Field | undefined)[] = []
  /** Where the newest stands. */
  #newest = 0
  #count = 0
  #sizeBytes = 0
  #maxBytes = MAX_TABLE_BYTES

  /** As HPACK counts: 1 is the first static line. Undefined where there is none. */
  find(index: number): Field | undefined {
    if (index < STATIC_FIELDS.length) return STATIC_FIELDS[index]
    const age = index - STATIC_FIELDS.length
    return age < this.#count ? this.#ring[(this.#newest + age) & (this.#ring.length - 1)] : undefined
  }

  add(field: Field): void {
    this.#evict(this.#maxBytes - field.sizeBytes)
    // Larger than the table: it empties it, and is not kept (RFC 7541 section 4.4).
    if (field.sizeBytes > this.#maxBytes) return
    if (this.#count === this.#ring.length) this.#grow()
    this.#newest = (this.#newest - 1) & (this.#ring.length - 1)
    this.#ring[this.#newest] = field
    this.#count++
    this.#sizeBytes += field.sizeBytes
  }

  /** False where it would be larger than it may (RFC 7541 section 6.3). */
  resize(maxBytes: number): boolean {
    if (maxBytes > MAX_TABLE_BYTES) return false
    this.#maxBytes = maxBytes
    this.#evict(maxBytes)
    return true
  }

  #evict(toBytes: number): void {
    while (this.#count > 0 && this.#sizeBytes > toBytes) {
      const oldest = (this.#newest + --this.#count) & (this.#ring.length - 1)
      this.#sizeBytes -= (this.#ring[oldest] as Field).sizeBytes
      this.#ring[oldest] = undefined
    }
  }

  /** To a power of two, always. */
  #grow(): void {
    const kept = Array.from({ length: this.#count }, (_, age) => this.find(STATIC_FIELDS.length + age))
    this.#ring = [...kept, ...new Array<undefined>(Math.max(8, this.#count)).fill(undefined)]
    this.#newest = 0
  }
}
