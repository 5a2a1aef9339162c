import { type Field, joinValues } from './field.ts'

/** As much as of HTTP/1.1; more is answered with 431 (RFC 6585 section 5). */
const MAX_LIST_BYTES = 16 * 1024
/** As SETTINGS_MAX_HEADER_LIST_SIZE says; more is not answered. */
export const MAX_ANSWERED_BYTES = 64 * 1024

/** A method is a token (RFC 9110 section 9.1). */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** The lines of a head or of trailers, as they come, and what they say together (RFC 9113 section 8). */
export class FieldList {
  method: string | undefined
  scheme: string | undefined
  path: string | undefined
  authority: string | undefined
  /** Octets of content; undefined where nothing says. */
  length: number | undefined
  /** Which of the numbered fields are there, one bit each. */
  present = 0
  readonly #fields: Field[] = []
  #sizeBytes = 0
  #isFaulty = false
  #hasPseudo = false

  add(field: Field): void {
    this.#sizeBytes += field.sizeBytes
    // Read for the sake of the table, and not kept.
    if (this.#sizeBytes > MAX_LIST_BYTES) return
    const { kind, number } = field
    if (kind === 'pseudo') this.#addPseudo(field)
    else {
      if (kind === 'faulty') this.#isFaulty = true
      else if (kind === 'length') this.#addLength(field)
      if (number >= 0) this.present |= 1 << number
      this.#fields.push(field)
    }
  }

  get isHead(): boolean {
    return this.method === 'HEAD'
  }

  get isOversized(): boolean {
    return this.#sizeBytes > MAX_LIST_BYTES
  }

  get isExcessive(): boolean {
    return this.#sizeBytes > MAX_ANSWERED_BYTES
  }

  /** A request as it has to be (RFC 9113 section 8.3.1); of what is oversized only as much as was kept. */
  get isRequest(): boolean {
    const { method, scheme, path } = this
    if (this.#isFaulty) return false
    if (method === undefined) return this.isOversized
    if (!METHOD.test(method)) return false
    if (method === 'CONNECT') return this.authority !== undefined && scheme === undefined && path === undefined
    if (scheme === undefined || path === undefined) return this.isOversized
    return path.startsWith('/') || (path === '*' && method === 'OPTIONS')
  }

  /** RFC 9113 section 8.1. */
  get isTrailers(): boolean {
    return !this.#isFaulty && !this.#hasPseudo && !this.isOversized
  }

  /** A line each, pseudo-header fields aside. */
  all(): (readonly [name: string, value: string])[] {
    return this.#fields.map(({ name, value }) => [name, value])
  }

  /** Of a numbered field; several lines are one value. Undefined where it is absent. */
  value(number: number): string | undefined {
    if ((this.present & (1 << number)) === 0) return undefined
    let value: string | undefined
    for (const field of this.#fields) {
      if (field.number === number) value = value === undefined ? field.value : joinValues(value, field)
    }
    return value
  }

  /** Of any field, by its name in lower case. Undefined where it is absent. */
  find(name: string): string | undefined {
    let value: string | undefined
    for (const field of this.#fields) {
      if (field.name === name) value = value === undefined ? field.value : joinValues(value, field)
    }
    return value
  }

  /**
   * The host that is asked for: a client sends the authority, a gateway the Host that it was asked with; both are allowed where
   * they are one. Undefined where it is missing, or unclear, or the scheme is none of the web.
   */
  get host(): string | undefined {
    const { authority, scheme } = this
    if (scheme !== 'https' && scheme !== 'http') return undefined
    let host: string | undefined
    for (const field of this.#fields) {
      if (field.name !== 'host') continue
      if (host !== undefined) return undefined
      host = field.value
    }
    if (host === undefined) return authority
    return authority === undefined || host.toLowerCase() === authority.toLowerCase() ? host : undefined
  }

  /** Each once, and before all others. */
  #addPseudo({ name, value }: Field): void {
    this.#hasPseudo = true
    if (this.#fields.length > 0) this.#isFaulty = true
    switch (name) {
      case ':method':
        if (this.method !== undefined) this.#isFaulty = true
        this.method = value
        return
      case ':scheme':
        if (this.scheme !== undefined) this.#isFaulty = true
        this.scheme = value
        return
      case ':path':
        if (this.path !== undefined) this.#isFaulty = true
        this.path = value
        return
      default:
        if (this.authority !== undefined) this.#isFaulty = true
        this.authority = value
    }
  }

  #addLength({ value }: Field): void {
    if (this.length !== undefined && this.length !== Number(value)) this.#isFaulty = true
    this.length = Number(value)
  }
}
