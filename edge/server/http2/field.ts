import { COOKIE, type FieldNumber, numberOfName } from '../fast/index.ts'

/** One line of a head. What can be said of it alone is said once, however often the table gives it. */
export interface Field {
  readonly name: string
  readonly value: string
  /** As header lists and tables are measured (RFC 7541 section 4.1). */
  readonly sizeBytes: number
  readonly kind: FieldKind
  /** Of the fields that answers are remembered by; negative for others. */
  readonly number: FieldNumber
}

export type FieldKind = 'regular' | 'pseudo' | 'length' | 'faulty'

const OVERHEAD_BYTES = 32
const PSEUDO: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority'])
/** They speak of an HTTP/1.1 connection (RFC 9113 section 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
/** A token without capitals (RFC 9113 section 8.2.1). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
const DIGITS = /^[0-9]{1,15}$/

/** Pure. A line that makes its message malformed (RFC 9113 section 8.1.1) is `faulty`. */
export function buildField(name: string, value: string): Field {
  const sizeBytes = name.length + value.length + OVERHEAD_BYTES
  return { name, value, sizeBytes, kind: kindOf(name, value), number: numberOfName(name) }
}

function kindOf(name: string, value: string): FieldKind {
  if (!isValue(value)) return 'faulty'
  if (PSEUDO.has(name)) return 'pseudo'
  if (!NAME.test(name) || OF_CONNECTION.has(name)) return 'faulty'
  if (name === 'te' && value !== 'trailers') return 'faulty'
  if (name === 'content-length') return DIGITS.test(value) ? 'length' : 'faulty'
  return 'regular'
}

/** No line end, no NUL, and no blank at either end (RFC 9113 section 8.2.1). */
function isValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code === 0 || code === 10 || code === 13) return false
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1))
}

const isBlank = (code: number): boolean => code === 32 || code === 9

/** Of these the first line counts alone, as in HTTP/1.1 by node:http. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
])

/** One value of two lines of a field, given by its name or number (RFC 9110 section 5.3, RFC 9113 section 8.2.3). Pure. */
export function joinValues(first: string, { name, number, value }: Field): string {
  if (FIRST_COUNTS.has(name)) return first
  return `${first}${number === COOKIE ? '; ' : ', '}${value}`
}
