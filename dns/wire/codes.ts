/** Numbers of the DNS protocol, as registered with IANA (RFC 6895). */

/** Record types that this code can put into a zone. */
export const TYPE_CODES = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, CAA: 257 } as const
export type RecordType = keyof typeof TYPE_CODES

/** The types that an owner can write as explicit records; the others are made by us only. */
export const EXPLICIT_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'TXT'] as const satisfies readonly RecordType[]
export type ExplicitType = (typeof EXPLICIT_TYPES)[number]

export const isExplicitType = (type: string): type is ExplicitType =>
  (EXPLICIT_TYPES as readonly string[]).includes(type)

/** Types that exist in questions or in the additional section only (RFC 6895 section 3.1). */
export const OPT = 41
export const DS = 43
export const IXFR = 251
export const AXFR = 252
export const ANY = 255
/** The first and the last type code that are reserved for meta types and question types. */
export const META_TYPES = { first: 128, last: 255 } as const

export const CLASS_IN = 1
export const OPCODE_QUERY = 0

/** Response codes; those above 15 need EDNS (RFC 6891 section 6.1.3). */
export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const
export type Rcode = keyof typeof RCODES

const names = new Map<number, RecordType>(
  (Object.keys(TYPE_CODES) as RecordType[]).map((type) => [TYPE_CODES[type], type]),
)

/** `MX` for 15; `TYPE65280` for what has no name here (RFC 3597 section 5). */
export const formatType = (code: number): string => names.get(code) ?? `TYPE${code}`
