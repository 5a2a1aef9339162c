import { type Hostname, MakiError } from '../../core/index.ts'
import { type KnownType, type RecordType, TYPE_CODES, type UnknownType } from '../wire/index.ts'
import { A, AAAA } from './address-data.ts'
import type { Codec } from './codec.ts'
import { DS, SSHFP, TLSA } from './digest-data.ts'
import { Fields, quote } from './fields.ts'
import { buildUnknownCodec, formatGeneric, isGeneric, readGeneric } from './generic-data.ts'
import { CNAME, MX, NS, PTR, SOA, SRV } from './name-data.ts'
import { Octets, type Refuse } from './octets.ts'
import { HTTPS, SVCB } from './service-binding.ts'
import { CAA, TXT } from './text-data.ts'
import type { Rdata } from './types.ts'

const CODECS: Readonly<Record<KnownType, Codec<Rdata>>> = {
  A,
  AAAA,
  CAA,
  CNAME,
  DS,
  HTTPS,
  MX,
  NS,
  PTR,
  SOA,
  SRV,
  SSHFP,
  SVCB,
  TLSA,
  TXT,
}

const codecOf = (type: RecordType): Codec<Rdata> =>
  Object.hasOwn(TYPE_CODES, type) ? CODECS[type as KnownType] : buildUnknownCodec(type as UnknownType)

/**
 * Reads presentation format (RFC 1035 section 5.1), or `\# length hex` (RFC 3597) for any type. Names are absolute with
 * or without the final dot; `@` is `origin`, where one is given. Takes time in proportion to the text.
 * Throws MAKI_INVALID with what is wrong and how to write it.
 */
export function parseRdata(type: RecordType, text: string, origin?: Hostname): Rdata {
  const codec = codecOf(type)
  const fields = new Fields(type, text, origin, refuser(type, text, codec.hint))
  if (!Object.hasOwn(TYPE_CODES, type) || !isGeneric(text)) return codec.parse(fields)
  // Octets can hold what no text says, like an empty list or an iodef that is no address: it is read once more.
  return codec.parse(new Fields(type, codec.format(decodeRdata(type, readGeneric(fields))), origin, fields.refuse))
}

/** Canonical presentation format, as kept in operations: equal data is equal text. Names with the final dot, texts quoted. */
export const formatRdata = (rdata: Rdata): string => codecOf(rdata.type).format(rdata)

/** The octets of RDATA, names not compressed. */
export const encodeRdata = (rdata: Rdata): Uint8Array => codecOf(rdata.type).encode(rdata)

/** The inverse of `encodeRdata`. Throws MAKI_INVALID for octets that are no data of the type, or more than that. */
export function decodeRdata(type: RecordType, wire: Uint8Array): Rdata {
  const codec = codecOf(type)
  const octets = new Octets(wire, (why, hint) => refuser(type, formatGeneric(wire), codec.hint)(why, hint))
  const rdata = codec.decode(octets)
  if (!octets.isAtEnd) throw octets.refuse('its octets do not end where the data does')
  return rdata
}

const refuser =
  (type: RecordType, text: string, usual: string): Refuse =>
  (why, hint = usual) =>
    new MakiError('MAKI_INVALID', `${quote(text)} is not the value of ${article(type)} record: ${why}`, { hint })

/** As people say it aloud: "an MX record", "a TXT record". */
const article = (type: string): string => `${/^(A|HTTPS|MX|NS|S(?!VCB))/.test(type) ? 'an' : 'a'} ${type}`
