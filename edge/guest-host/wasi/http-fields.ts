import type { HeaderError, Fields as WasiFields } from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import { type Instance, Resource } from './instance.ts'

type Entry = readonly [name: string, value: Uint8Array]

/** What a connection is run with, and is not a guest's to say; and its host, which the authority says. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Of all names and values together: they cross to the owner in the header of one frame. */
export const MAX_FIELDS_BYTES = 16 * 1024
const ENTRY_BYTES = 8

/** `fields` of wasi:http. What does not fit is `forbidden`; what is given away with a request cannot be changed any more. */
export class Fields extends Resource implements WasiFields {
  readonly #instance: Instance
  #entries: readonly Entry[] = []
  #bytes = 0
  #isImmutable = false

  constructor(instance: Instance) {
    super(instance)
    this.#instance = instance
  }

  /** Throws a HeaderError for what `append` refuses. */
  static fromList(instance: Instance, entries: readonly Entry[]): Fields {
    for (const [name, value] of entries) checkField(name, value)
    const fields = new Fields(instance)
    fields.#replace(entries.map(([name, value]) => [name, value.slice()]))
    return fields
  }

  /** That cannot be changed, of fields that came from elsewhere or were given away: as text in Latin-1, a byte a character. */
  static immutable(instance: Instance, entries: readonly (readonly [name: string, value: string])[]): Fields {
    const fields = new Fields(instance)
    fields.#entries = entries.map(([name, value]) => [name, Buffer.from(value, 'latin1')])
    fields.#isImmutable = true
    return fields
  }

  /** As the owner is told them. */
  static textOf(fields: Fields): [name: string, value: string][] {
    return fields.#entries.map(([name, value]) => [name, Buffer.from(value).toString('latin1')])
  }

  get(name: string): Uint8Array[] {
    return this.#entries.filter(isNamed(name)).map(([, value]) => copy(value))
  }

  has(name: string): boolean {
    return this.#entries.some(isNamed(name))
  }

  set(name: string, values: Uint8Array[]): void {
    this.#refuseIfImmutable()
    for (const value of values) checkField(name, value)
    if (values.length === 0) checkField(name, new Uint8Array(0))
    const others = this.#entries.filter((entry) => !isNamed(name)(entry))
    this.#replace([...others, ...values.map((value) => [name, value.slice()] as const)])
  }

  delete(name: string): void {
    this.#refuseIfImmutable()
    this.#replace(this.#entries.filter((entry) => !isNamed(name)(entry)))
  }

  append(name: string, value: Uint8Array): void {
    this.#refuseIfImmutable()
    checkField(name, value)
    this.#replace([...this.#entries, [name, value.slice()]])
  }

  entries(): [string, Uint8Array][] {
    return this.#entries.map(([name, value]) => [name, copy(value)])
  }

  clone(): Fields {
    const fields = new Fields(this.#instance)
    fields.#entries = this.#entries
    fields.#bytes = this.#bytes
    return fields
  }

  #refuseIfImmutable(): void {
    if (this.#isImmutable) throw { tag: 'immutable' } satisfies HeaderError
  }

  #replace(entries: readonly Entry[]): void {
    const bytes = entries.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_BYTES, 0)
    if (bytes > MAX_FIELDS_BYTES && bytes > this.#bytes) throw { tag: 'forbidden' } satisfies HeaderError
    this.#entries = entries
    this.#bytes = bytes
  }
}

const isNamed = (name: string) => {
  const wanted = name.toLowerCase()
  return ([each]: Entry) => each.toLowerCase() === wanted
}

const copy = (value: Uint8Array): Uint8Array => new Uint8Array(value)

/** Throws a HeaderError for what is no field, or none that a guest may send (RFC 9110, section 5.5). */
function checkField(name: string, value: Uint8Array): void {
  if (!TOKEN.test(name)) throw { tag: 'invalid-syntax' } satisfies HeaderError
  if (value.some((byte) => (byte < 0x20 && byte !== 0x09) || byte === 0x7f))
    throw { tag: 'invalid-syntax' } satisfies HeaderError
  if (FORBIDDEN.has(name.toLowerCase())) throw { tag: 'forbidden' } satisfies HeaderError
}
