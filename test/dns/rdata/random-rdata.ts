import { formatRdata, parseRdata, type Rdata } from '../../../dns/rdata/index.ts'
import { formatServiceParam } from '../../../dns/rdata/service-params.ts'
import type { RecordType } from '../../../dns/wire/index.ts'
import { spellOctet } from '../../../dns/wire/index.ts'
import type { Random } from '../../support/seeds.ts'

/** Data of records, as odd as their types allow. */

export const RANDOM_TYPES: readonly RecordType[] = [
  'A',
  'AAAA',
  'CAA',
  'CNAME',
  'DS',
  'HTTPS',
  'MX',
  'NS',
  'PTR',
  'SOA',
  'SRV',
  'SSHFP',
  'SVCB',
  'TLSA',
  'TXT',
  'TYPE35',
  'TYPE65280',
]

/** A key; now and then with octets that no host name has. */
export function randomName(random: Random): string {
  const plain = () => random.pick([...'abcxyz019-_'])
  const octet = () => (random.chance(0.02) ? spellOctet(random.integer(256)) : plain())
  const label = () => Array.from({ length: 1 + random.integer(8) }, octet).join('')
  return Array.from({ length: 2 + random.integer(4) }, label).join('.')
}

export function randomRdata(random: Random, type: RecordType = random.pick(RANDOM_TYPES)): Rdata {
  const bits = (count: number) => random.integer(2 ** count)
  const bytes = (...lengths: number[]) => random.bytes(random.pick(lengths))
  const nameOrRoot = () => (random.chance(0.1) ? '' : randomName(random))
  switch (type) {
    case 'A':
      return { type, address: Array.from({ length: 4 }, () => bits(8)).join('.') }
    case 'AAAA':
      return parseRdata('AAAA', randomIpv6(random).toUpperCase())
    case 'CNAME':
    case 'PTR':
      return { type, target: randomName(random) }
    case 'NS':
      return { type, server: randomName(random) }
    case 'MX':
      return { type, preference: bits(16), exchange: nameOrRoot() }
    case 'SRV':
      return { type, priority: bits(16), weight: bits(16), port: bits(16), target: nameOrRoot() }
    case 'TXT':
      return { type, strings: Array.from({ length: 1 + random.integer(4) }, () => bytes(0, 1, 20, 254, 255)) }
    case 'CAA':
      return { type, flags: random.pick([0, 128, bits(8)]), ...randomCaa(random) }
    case 'SOA': {
      const numbers = { serial: bits(32), refresh: bits(32), retry: bits(32), expire: bits(32), minimum: bits(32) }
      return { type, mname: randomName(random), rname: randomName(random), ...numbers }
    }
    case 'DS': {
      const digestType = random.pick([1, 2, 4])
      const digest = random.bytes({ 1: 20, 2: 32, 4: 48 }[digestType] ?? 0)
      return { type, keyTag: bits(16), algorithm: random.pick([5, 8, 10, 13, 14, 15, 16]), digestType, digest }
    }
    case 'SSHFP': {
      const fingerprintType = random.pick([1, 2, 99])
      const fingerprint = random.bytes({ 1: 20, 2: 32 }[fingerprintType] ?? 1 + random.integer(80))
      return { type, algorithm: bits(8), fingerprintType, fingerprint }
    }
    case 'TLSA': {
      const matchingType = random.pick([0, 1, 2])
      const association = random.bytes({ 1: 32, 2: 64 }[matchingType] ?? 1 + random.integer(900))
      return { type, usage: random.integer(4), selector: random.integer(2), matchingType, association }
    }
    case 'HTTPS':
    case 'SVCB': {
      if (random.chance(0.2)) return { type, priority: 0, target: randomName(random), params: [] }
      return parseRdata(
        type,
        `${1 + bits(15)} ${formatRdata({ type: 'PTR', target: nameOrRoot() })} ${randomParams(random)}`,
      )
    }
    default:
      return { type, data: bytes(0, 1, 4, 300) }
  }
}

export function randomIpv6(random: Random): string {
  const groups = Array.from({ length: 8 }, () => (random.chance(0.5) ? '0' : random.integer(2 ** 16).toString(16)))
  return groups.join(':')
}

function randomCaa(random: Random): { tag: string; value: string } {
  return random.pick([
    { tag: 'issue', value: 'letsencrypt.org; validationmethods=dns-01; accounturi=https://ca.example/acct/1' },
    { tag: 'issue', value: ';' },
    { tag: 'issuewild', value: '' },
    { tag: 'iodef', value: 'mailto:security@example.com' },
    { tag: 'iodef', value: 'https://example.com/report?a="b"' },
    { tag: `x${random.integer(1000)}`, value: Buffer.from(random.bytes(random.integer(40))).toString('latin1') },
  ])
}

/** Some parameters in any order, as people might write them. */
function randomParams(random: Random): string {
  const alpn = () => Buffer.from(random.pick(['h2', 'h3', 'http/1.1', 'a,b', 'c\\d', 'e f', '\x00\xff"']), 'latin1')
  const value = Buffer.concat(
    Array.from({ length: 1 + random.integer(3) }, alpn).flatMap((id) => [Uint8Array.of(id.length), id]),
  )
  const some = <T>(make: () => T) => Array.from({ length: 1 + random.integer(3) }, make)
  const ipv4 = () => [...random.bytes(4)].join('.')
  const pool = [
    [`${formatServiceParam({ key: 1, value })}${random.chance(0.3) ? ' no-default-alpn' : ''}`, 'alpn'],
    [`port=${random.integer(65536)}`, 'port'],
    [`ipv4hint=${some(ipv4).join(',')}`, 'key4'],
    [`ech="${Buffer.from(random.bytes(1 + random.integer(60))).toString('base64')}"`, 'ech'],
    [`ipv6hint=${some(() => randomIpv6(random)).join(',')}`, 'ipv6hint'],
    ['dohpath=/dns-query{?dns}', 'dohpath'],
    [formatServiceParam({ key: 65280, value: random.bytes(random.integer(20)) }), 'key65280'],
    ['key667="hello"', 'key667'],
  ] as const
  const chosen = pool.filter(() => random.chance(0.4))
  const names = chosen.filter(() => random.chance(0.3)).map(([, name]) => name)
  const all = [...chosen.map(([text]) => text), ...(names.length === 0 ? [] : [`mandatory=${names.join(',')}`])]
  return random.shuffle(all).join(' ')
}
