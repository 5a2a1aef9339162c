import { trimBlanks } from '../../message/index.ts'
import { CONNECTION, FIELDS, type FieldNumber, HOST, numberOf, UNUSUAL } from './head-fields.ts'

/** More bytes are needed. */
export const INCOMPLETE = -1
/** For node:http to read: rare, or wrong. */
export const STRANGE = -2

/** Longer heads are rare, and node:http knows what to do with them. */
const MAX_HEAD_BYTES = 8 * 1024
const MAX_TARGET_BYTES = 2048

const CR = 13
const LF = 10
const SPACE = 32
const TAB = 9
const COLON = 58
const SLASH = 47

/** Bytes of a token (RFC 9110 section 5.6.2). */
const IS_TOKEN = new Uint8Array(256)
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
  IS_TOKEN[byte] = 1
/** Bytes of a field value (RFC 9110 section 5.5): visible, space, tab, and what is not ASCII. */
const IS_VALUE = new Uint8Array(256).fill(1, SPACE)
IS_VALUE[TAB] = 1
IS_VALUE[127] = 0

/** Of these node:http takes the first line alone. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  'age',
  'content-type',
  'etag',
  'expires',
  'from',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
])

/** Node has it, and its types have not: a text of bytes without looking up the name of an encoding. */
type Latin1Bytes = Buffer & { latin1Slice(start: number, end: number): string }

const NOTHING = Buffer.alloc(0) as Latin1Bytes
const GET = Buffer.from('GET /')
const HEAD = Buffer.from('HEAD /')
const VERSION = Buffer.from('HTTP/1.1\r\n')
const KEEP_ALIVE = 'keep-alive'

/**
 * A reader of request heads (RFC 9112) that knows the usual ones alone: GET and HEAD of a path, in HTTP/1.1, with one
 * Host, no body, and nothing about the connection but that it stays. It is stricter than node:http wherever they might
 * differ, so that whatever it takes, node:http reads the same. One reader reads many heads, one after another, and
 * allocates nothing.
 */
export class RequestHead {
  bytes: Latin1Bytes = NOTHING
  /** HEAD, not GET. */
  isHead = false
  targetStart = 0
  targetEnd = 0
  /** Which of the numbered fields are there, one bit each. */
  present = 0
  readonly #starts = new Int32Array(FIELDS.length)
  readonly #ends = new Int32Array(FIELDS.length)
  #start = 0
  #fieldsStart = 0
  #end = 0

  /** Reads the head that begins at `from`: gives where it ends, INCOMPLETE, or STRANGE. */
  read(bytes: Buffer, from: number): number {
    this.bytes = bytes as Latin1Bytes
    this.#start = from
    const lastLine = bytes.indexOf('\r\n\r\n', from, 'latin1')
    if (lastLine === -1) return this.#readPart(from)
    if (lastLine - from > MAX_HEAD_BYTES) return STRANGE
    this.#end = lastLine + 2
    this.#fieldsStart = this.#readRequestLine(from)
    return this.#fieldsStart !== STRANGE && this.#readFields() && this.#isUsual() ? lastLine + 4 : STRANGE
  }

  /** So that what no client of ours would send is answered at once, and not when its end fails to come. */
  #readPart(from: number): number {
    const { bytes } = this
    if (bytes.length - from > MAX_HEAD_BYTES) return STRANGE
    const lastEnd = bytes.lastIndexOf('\r\n', bytes.length, 'latin1')
    let at = from
    if (lastEnd >= from) {
      this.#end = lastEnd + 2
      this.#fieldsStart = this.#readRequestLine(from)
      if (this.#fieldsStart === STRANGE || !this.#readFields()) return STRANGE
      at = this.#end
    } else if (!this.#beginsAs(GET, from) && !this.#beginsAs(HEAD, from)) return STRANGE
    while (at < bytes.length && IS_VALUE[bytes[at] as number] === 1) at++
    // Perhaps the first half of a line's end.
    return at === bytes.length || (at === bytes.length - 1 && bytes[at] === CR) ? INCOMPLETE : STRANGE
  }

  #beginsAs(words: Buffer, from: number): boolean {
    const length = Math.min(words.length, this.bytes.length - from)
    return this.bytes.compare(words, 0, length, from, from + length) === 0
  }

  /** One that stays as it is, when this one goes on to other heads. */
  copy(): RequestHead {
    const copy = new RequestHead()
    copy.read(Buffer.from(this.bytes.subarray(this.#start, this.#end + 2)), 0)
    return copy
  }

  get method(): 'GET' | 'HEAD' {
    return this.isHead ? 'HEAD' : 'GET'
  }

  get target(): string {
    return this.bytes.latin1Slice(this.targetStart, this.targetEnd)
  }

  /** There is one: a head without is strange. */
  get host(): string {
    return this.value(HOST) as string
  }

  /** Undefined where the field is absent. */
  value(field: FieldNumber): string | undefined {
    if ((this.present & (1 << field)) === 0) return undefined
    return this.bytes.latin1Slice(this.#starts[field] as number, this.#ends[field] as number)
  }

  /** Any field, by its name in lower case, several lines as node:http gives them. Undefined where it is absent. */
  find(name: string): string | undefined {
    const number = (FIELDS as readonly string[]).indexOf(name)
    if (number !== -1) return this.value(number)
    let found: string | undefined
    for (const line of this.bytes.latin1Slice(this.#fieldsStart, this.#end).split('\r\n')) {
      const colon = line.indexOf(':')
      if (line.slice(0, colon).toLowerCase() !== name) continue
      const value = trimBlanks(line.slice(colon + 1))
      if (found === undefined) found = value
      else if (!FIRST_COUNTS.has(name)) found += `, ${value}`
    }
    return found
  }

  /** All fields, a line each, names in lower case. */
  all(): (readonly [name: string, value: string])[] {
    const lines = this.bytes.latin1Slice(this.#fieldsStart, this.#end).split('\r\n')
    lines.pop()
    return lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), trimBlanks(line.slice(colon + 1))]
    })
  }

  /** Where the fields begin, or STRANGE. */
  #readRequestLine(from: number): number {
    const { bytes } = this
    // "GET " and "HEAD", as numbers.
    const word = bytes.length - from < 16 ? 0 : bytes.readInt32BE(from)
    if (word === 0x47455420) this.isHead = false
    else if (word === 0x48454144 && bytes[from + 4] === SPACE) this.isHead = true
    else return STRANGE
    const start = from + (this.isHead ? 5 : 4)
    if (bytes[start] !== SLASH) return STRANGE
    let at = start + 1
    for (let byte = bytes[at] as number; byte > SPACE && byte < 127; byte = bytes[++at] as number);
    if (bytes[at] !== SPACE || at - start > MAX_TARGET_BYTES) return STRANGE
    this.targetStart = start
    this.targetEnd = at
    at++
    for (let i = 0; i < VERSION.length; i++) if (bytes[at + i] !== VERSION[i]) return STRANGE
    return at + VERSION.length
  }

  /** False where they are strange. */
  #readFields(): boolean {
    const { bytes } = this
    const end = this.#end
    this.present = 0
    for (let at = this.#fieldsStart; at < end; ) {
      const nameStart = at
      while (IS_TOKEN[bytes[at] as number] === 1) at++
      if (at === nameStart || bytes[at] !== COLON) return false
      const field = numberOf(bytes, nameStart, at)
      at++
      while (bytes[at] === SPACE || bytes[at] === TAB) at++
      const valueStart = at
      while (IS_VALUE[bytes[at] as number] === 1) at++
      if (bytes[at] !== CR || bytes[at + 1] !== LF) return false
      if (field >= 0) {
        const bit = 1 << field
        if ((this.present & bit) !== 0) return false
        this.present |= bit
        let valueEnd = at
        while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--
        this.#starts[field] = valueStart
        this.#ends[field] = valueEnd
      } else if (field === UNUSUAL) return false
      at += 2
    }
    return true
  }

  #isUsual(): boolean {
    if ((this.present & (1 << HOST)) === 0) return false
    return (this.present & (1 << CONNECTION)) === 0 || this.value(CONNECTION)?.toLowerCase() === KEEP_ALIVE
  }
}

const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB
