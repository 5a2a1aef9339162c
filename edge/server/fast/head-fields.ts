/** Fields that the fast path knows by a number; of every other one it reads the value only when asked. */
export const FIELDS = [
  'host',
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cookie',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'connection',
] as const

/** At most 31 of them: a set of fields is one small integer. */
export type FieldNumber = number

export const HOST: FieldNumber = 0
export const COOKIE: FieldNumber = FIELDS.indexOf('cookie')
export const CONNECTION: FieldNumber = FIELDS.indexOf('connection')

/** A field that changes how the message is framed or the connection used: node:http reads such requests. */
export const UNUSUAL = -2
/** A field that only matters to who asks for it by name. */
export const OTHER = -1

const UNUSUAL_FIELDS = [
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

interface Known {
  readonly number: FieldNumber
  /** Lower case. */
  readonly codes: readonly number[]
}

const BY_LENGTH: Known[][] = []
for (const name of [...FIELDS, ...UNUSUAL_FIELDS]) {
  const number = UNUSUAL_FIELDS.includes(name) ? UNUSUAL : FIELDS.indexOf(name as (typeof FIELDS)[number])
  const known = BY_LENGTH[name.length] ?? []
  BY_LENGTH[name.length] = [...known, { number, codes: [...Buffer.from(name)] }]
}
for (let i = 0; i < BY_LENGTH.length; i++) BY_LENGTH[i] ??= []

/** The number of the field whose name, a token of any case, stands at [start, end); OTHER or UNUSUAL. */
export function numberOf(bytes: Uint8Array, start: number, end: number): number {
  const candidates = BY_LENGTH[end - start]
  if (candidates === undefined) return OTHER
  for (let i = 0; i < candidates.length; i++) {
    const { number, codes } = candidates[i] as Known
    let at = 0
    // In a token, setting this bit changes capitals alone into what a known name has.
    while (at < codes.length && ((bytes[start + at] as number) | 0x20) === codes[at]) at++
    if (at === codes.length) return number
  }
  return OTHER
}

const NUMBERS = new Map<string, FieldNumber>(FIELDS.map((name, number) => [name, number]))

/** The number of a field by its name in lower case; OTHER where it has none. */
export const numberOfName = (name: string): FieldNumber => NUMBERS.get(name) ?? OTHER
