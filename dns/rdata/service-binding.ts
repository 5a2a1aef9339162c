import { encodeWireName } from '../wire/index.ts'
import { parseString } from './character-string.ts'
import type { Codec } from './codec.ts'
import { type Fields, quote } from './fields.ts'
import { formatName } from './name.ts'
import { type Octets, uint16 } from './octets.ts'
import { checkServiceParams, findParamKey, formatServiceParam, parseServiceParam } from './service-params.ts'
import type { ServiceBinding, ServiceParam } from './types.ts'

/** RFC 9460 section 2: priority, target, and in the service form parameters. */
const buildServiceCodec = (type: ServiceBinding['type']): Codec<ServiceBinding> => ({
  hint: 'Write it like "1 . alpn=h2,h3", or "0 other.example.net" to stand for another name.',
  parse(fields) {
    const [first, target, ...words] = fields.readParts()
    const priority = fields.readNumber(first, 'the priority', 0xffff)
    if (target === undefined) throw fields.refuse('it has no target')
    const params = words.map((word) => readParam(word, fields)).sort((a, b) => a.key - b.key)
    if (priority === 0 && params.length > 0)
      throw fields.refuse('with priority 0 it stands for another name, and has no parameters')
    const name = fields.readName(target)
    checkServiceParams(params, fields.refuse)
    return { type, priority, target: name, params }
  },
  format: ({ priority, target, params }) => [priority, formatName(target), ...params.map(formatServiceParam)].join(' '),
  encode: ({ priority, target, params }) =>
    Buffer.concat([
      uint16(priority),
      encodeWireName(target),
      ...params.flatMap(({ key, value }) => [uint16(key), uint16(value.length), value]),
    ]),
  decode: (octets) => ({
    type,
    priority: octets.readUint16(),
    target: octets.readName(),
    params: decodeParams(octets),
  }),
})

/** RFC 9460. */
export const SVCB = buildServiceCodec('SVCB')
/** RFC 9460 section 9. */
export const HTTPS = buildServiceCodec('HTTPS')

/** `key`, `key=value` or `key="value"`. */
function readParam(word: string, fields: Fields): ServiceParam {
  const equals = word.indexOf('=')
  const name = equals === -1 ? word : word.slice(0, equals)
  const key = findParamKey(name)
  if (key === undefined) {
    throw fields.refuse(
      `there is no parameter ${quote(name)}`,
      'Parameters are mandatory, alpn, no-default-alpn, port, ipv4hint, ech, ipv6hint and dohpath; others are key and their number, like key65280.',
    )
  }
  const octets = equals === -1 ? undefined : parseString(word.slice(equals + 1), fields.refuse)
  return { key, value: parseServiceParam(key, name, octets, fields.refuse) }
}

function decodeParams(octets: Octets): readonly ServiceParam[] {
  const params: ServiceParam[] = []
  while (!octets.isAtEnd) {
    const key = octets.readUint16()
    params.push({ key, value: octets.take(octets.readUint16()) })
  }
  checkServiceParams(params, octets.refuse)
  return params
}
