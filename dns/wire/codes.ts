/** Numbers of the DNS protocol, as registered with IANA (RFC 6895). */

/** Record types whose data this code knows, with their numbers. */
export const TYPE_CODES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DS: 43,
  SSHFP: 44,
  TLSA: 52,
  SVCB: 64,
  HTTPS: 65,
  CAA: 257,
} as const
export type KnownType = keyof typeof TYPE_CODES
/** A type without a name here (RFC 3597 section 5): its data is octets. Never written for a type that has one. */
export type UnknownType = `TYPE${number}`
/** Every type that a record can have on the wire. */
export type RecordType = KnownType | UnknownType

/** The types that an owner can write by name. ALIAS is ours: no record of that type is ever sent. */
export const EXPLICIT_TYPES = [
  'A',
  'AAAA',
  'ALIAS',
  'CAA',
  'CNAME',
  'DS',
  'HTTPS',
  'MX',
  'NS',
  'PTR',
  'SRV',
  'SSHFP',
  'SVCB',
  'TLSA',
  'TXT',
] as const satisfies readonly (KnownType | 'ALIAS')[]
/** What an owner can write: those, and every type without a name that no rule keeps (`isExplicitType`). */
export type ExplicitType = (typeof EXPLICIT_TYPES)[number] | UnknownType

/** Types of which no record is ever kept: they stand in questions, in the additional section or in NSEC (RFC 6895 section 3.1). */
export const OPT = 41
/** Says in the NSEC of a signed answer that a name does not exist; nobody may ask for it (RFC 9824 section 3.5). */
export const NXNAME = 128
export const IXFR = 251
export const AXFR = 252
export const ANY = 255
/** The first and the last type code that are reserved for meta types and question types. */
export const META_TYPES = { first: 128, last: 255 } as const

export const CLASS_IN = 1
/** Where a server tells about itself: `version.bind` (RFC 4892). */
export const CLASS_CH = 3
export const OPCODE_QUERY = 0

/** Response codes; those above 15 need EDNS (RFC 6891 section 6.1.3). */
export const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const
export type Rcode = keyof typeof RCODES

const names = new Map<number, KnownType>(
  (Object.keys(TYPE_CODES) as KnownType[]).map((type) => [TYPE_CODES[type], type]),
)

/** `MX` for 15; `TYPE65280` for what has no name here (RFC 3597 section 5). */
export const formatType = (code: number): RecordType => names.get(code) ?? `TYPE${code}`

/** 15 for `MX`, 65280 for `TYPE65280`. */
export const typeCode = (type: RecordType): number =>
  Object.hasOwn(TYPE_CODES, type) ? TYPE_CODES[type as KnownType] : Number(type.slice('TYPE'.length))
