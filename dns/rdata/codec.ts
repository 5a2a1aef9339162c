import { type Answer, encode } from 'dns-packet'
import type { Fields } from './fields.ts'
import type { Octets } from './octets.ts'
import type { Rdata } from './types.ts'

/** What there is to know about the data of one type. */
export interface Codec<Data extends Rdata> {
  /** How people write it. */
  readonly hint: string
  /** From presentation format. Throws what `fields.refuse` makes. */
  parse(fields: Fields): Data
  /** Canonical presentation format: equal data is equal text. */
  format(data: Data): string
  /** RDATA, names not compressed. */
  encode(data: Data): Uint8Array
  /** The inverse of `encode`; what is left over is found by the caller. */
  decode(octets: Octets): Data
}

/** Header, root owner, type, class, TTL and length, which stand before the data in a message with one root record. */
const BEFORE_RDATA = 12 + 1 + 10

/** As dns-packet writes the data, for the types where it is right: it knows no escapes in names and no octets beyond ASCII. */
export const encodePacketData = (answer: Answer): Uint8Array => encode({ answers: [answer] }).subarray(BEFORE_RDATA)
