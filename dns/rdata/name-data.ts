import { encodeWireName } from '../wire/index.ts'
import type { Codec } from './codec.ts'
import { formatName } from './name.ts'
import { uint16, uint32 } from './octets.ts'
import type { MailExchange, NameServer, Service, Soa, TargetData } from './types.ts'

const MAX_16_BITS = 0xffff
const MAX_32_BITS = 0xffff_ffff

const buildTargetCodec = (type: TargetData['type'], hint: string): Codec<TargetData> => ({
  hint,
  parse(fields) {
    const target = fields.readName(fields.readWords('target')[0])
    if (target === '') throw fields.refuse('the root is no target')
    return { type, target }
  },
  format: ({ target }) => formatName(target),
  encode: ({ target }) => encodeWireName(target),
  decode: (octets) => ({ type, target: octets.readName() }),
})

/** RFC 1035 section 3.3.1. */
export const CNAME = buildTargetCodec('CNAME', 'Write the full name of the target, like www.example.net.')
/** RFC 1035 section 3.3.12. */
export const PTR = buildTargetCodec('PTR', 'Write the full name of the host, like host.example.net.')

/** RFC 1035 section 3.3.11. */
export const NS: Codec<NameServer> = {
  hint: 'Write the full name of the name server, like ns1.example.net.',
  parse(fields) {
    const server = fields.readName(fields.readWords('name server')[0])
    if (server === '') throw fields.refuse('the root is no name server')
    return { type: 'NS', server }
  },
  format: ({ server }) => formatName(server),
  encode: ({ server }) => encodeWireName(server),
  decode: (octets) => ({ type: 'NS', server: octets.readName() }),
}

/** RFC 1035 section 3.3.9. */
export const MX: Codec<MailExchange> = {
  hint: 'Write it like "10 mail.example.com": the priority, then the full name of the mail server.',
  parse(fields) {
    const [preference, exchange] = fields.readWords('priority', 'mail server')
    return {
      type: 'MX',
      preference: fields.readNumber(preference, 'the priority', MAX_16_BITS),
      exchange: fields.readName(exchange),
    }
  },
  format: ({ preference, exchange }) => `${preference} ${formatName(exchange)}`,
  encode: ({ preference, exchange }) => Buffer.concat([uint16(preference), encodeWireName(exchange)]),
  decode: (octets) => ({ type: 'MX', preference: octets.readUint16(), exchange: octets.readName() }),
}

/** RFC 2782. */
export const SRV: Codec<Service> = {
  hint: 'Write it like "10 5 5060 sip.example.com": priority, weight, port, then the full name of the host.',
  parse(fields) {
    const [priority, weight, port, target] = fields.readWords('priority', 'weight', 'port', 'host')
    return {
      type: 'SRV',
      priority: fields.readNumber(priority, 'the priority', MAX_16_BITS),
      weight: fields.readNumber(weight, 'the weight', MAX_16_BITS),
      port: fields.readNumber(port, 'the port', MAX_16_BITS),
      target: fields.readName(target),
    }
  },
  format: ({ priority, weight, port, target }) => `${priority} ${weight} ${port} ${formatName(target)}`,
  encode: ({ priority, weight, port, target }) =>
    Buffer.concat([uint16(priority), uint16(weight), uint16(port), encodeWireName(target)]),
  decode: (octets) => ({
    type: 'SRV',
    priority: octets.readUint16(),
    weight: octets.readUint16(),
    port: octets.readUint16(),
    target: octets.readName(),
  }),
}

/** RFC 1035 section 3.3.13. */
export const SOA: Codec<Soa> = {
  hint: 'Write it like "ns.example.com admin.example.com 1 86400 10800 3600000 3600".',
  parse(fields) {
    const parts = fields.readWords('mname', 'rname', 'serial', 'refresh', 'retry', 'expire', 'minimum')
    const number = (index: number, what: string) => fields.readNumber(parts[index], what, MAX_32_BITS)
    return {
      type: 'SOA',
      mname: fields.readName(parts[0]),
      rname: fields.readName(parts[1]),
      serial: number(2, 'serial'),
      refresh: number(3, 'refresh'),
      retry: number(4, 'retry'),
      expire: number(5, 'expire'),
      minimum: number(6, 'minimum'),
    }
  },
  format: ({ mname, rname, ...numbers }) =>
    [formatName(mname), formatName(rname), ...listSoaNumbers(numbers)].join(' '),
  encode: ({ mname, rname, ...numbers }) =>
    Buffer.concat([encodeWireName(mname), encodeWireName(rname), ...listSoaNumbers(numbers).map(uint32)]),
  decode: (octets) => ({
    type: 'SOA',
    mname: octets.readName(),
    rname: octets.readName(),
    serial: octets.readUint32(),
    refresh: octets.readUint32(),
    retry: octets.readUint32(),
    expire: octets.readUint32(),
    minimum: octets.readUint32(),
  }),
}

const listSoaNumbers = (soa: Omit<Soa, 'type' | 'mname' | 'rname'>): readonly number[] => [
  soa.serial,
  soa.refresh,
  soa.retry,
  soa.expire,
  soa.minimum,
]
