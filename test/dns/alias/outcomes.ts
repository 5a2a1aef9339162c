import type { AliasOutcome, FamilyOutcome } from '../../../dns/index.ts'
import type { Random } from '../../support/seeds.ts'

/** What a resolver may say: true, false, private, far too much, nothing, or that it failed. */
export function randomOutcome(random: Random): AliasOutcome {
  return { ipv4: randomFamily(random, randomIpv4), ipv6: randomFamily(random, randomIpv6) }
}

function randomFamily(random: Random, address: (random: Random) => string): FamilyOutcome {
  switch (random.integer(5)) {
    case 0:
      return { kind: 'none' }
    case 1:
      return { kind: 'failed', reason: random.pick(['SERVFAIL', 'no answer']) }
    default:
      return {
        kind: 'addresses',
        addresses: Array.from({ length: random.chance(0.1) ? 200 : 1 + random.integer(4) }, () => address(random)),
        ttl: random.pick([0, 1, 29, 30, 300, 3600, 2 ** 31 - 1, Number.NaN, Number.POSITIVE_INFINITY]),
      }
  }
}

const randomIpv4 = (random: Random): string =>
  random.chance(0.3)
    ? random.pick(['10.0.0.1', '127.0.0.1', '169.254.169.254', '192.168.1.1', '0.0.0.0', '224.0.0.1', 'rubbish'])
    : `1.${random.integer(4)}.${random.integer(256)}.${random.integer(256)}`

const randomIpv6 = (random: Random): string =>
  random.chance(0.3)
    ? random.pick(['::1', 'fd00::1', 'fe80::1', '2001:db8::1', '::ffff:10.0.0.1', '2002:a00:1::'])
    : `2606:4700:${random.integer(65_536).toString(16)}::1`

/** Both families at once. */
export const bothFamilies = (family: FamilyOutcome): AliasOutcome => ({ ipv4: family, ipv6: family })

/** One public IPv4 address and no IPv6. */
export const found = (address: string, ttl = 300): AliasOutcome => ({
  ipv4: { kind: 'addresses', addresses: [address], ttl },
  ipv6: { kind: 'none' },
})
