import { readFileSync } from 'node:fs'
import t from 'tap'
import { createPublicPolicy } from '../../../edge/outgoing/address-policy.ts'
import { OUTGOING_LIMITS, REFUSED_IPV4, REFUSED_IPV6, REFUSED_NAMES } from '../../../edge/outgoing/index.ts'
import { findRefusedNetwork } from '../../../edge/outgoing/refused-networks.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { type BigAddress, fromBig, rangeOf } from './big-address.ts'

/** The registries as IANA has them (2025-10-09), written down apart from the product; then what they do not list. */
const REGISTERED = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '240.0.0.0/4', '255.255.255.255/32'],
  ...['::1/128', '::/128', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64'],
  ...['2001::/23', '2001::/32', '2001:1::1/128', '2001:1::2/128', '2001:1::3/128', '2001:2::/48', '2001:3::/32'],
  ...['2001:4:112::/48', '2001:10::/28', '2001:20::/28', '2001:30::/28', '2001:db8::/32', '2002::/16'],
  ...['2620:4f:8000::/48', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10'],
  ...['224.0.0.0/4', '::/96', 'fec0::/10', 'ff00::/8'],
].map(rangeOf)
const GLOBAL = rangeOf('2000::/3')

/** The law: neither registered nor outside of what hosts on the internet have. */
function isPublic({ bits, value }: BigAddress): boolean {
  if (REGISTERED.some((range) => range.bits === bits && value >= range.first && value <= range.last)) return false
  return bits === 32 || (value >= GLOBAL.first && value <= GLOBAL.last)
}

t.test('every edge of every network, and its neighbours', async (t) => {
  const known = [...REFUSED_IPV4, ...REFUSED_IPV6].map(({ network }) => rangeOf(network))
  let tried = 0
  for (const { bits, first, last } of [...REGISTERED, ...known, GLOBAL]) {
    for (const value of [first - 1n, first, first + 1n, last - 1n, last, last + 1n]) {
      if (value < 0n || value >= 1n << BigInt(bits)) continue
      for (const style of [0, 1, 2]) {
        const text = fromBig({ bits, value }, style)
        t.equal(findRefusedNetwork(text) === undefined, isPublic({ bits, value }), text)
        tried++
      }
    }
  }
  t.ok(tried > 600, `${tried} addresses`)
})

for (const seed of seeds(20)) {
  t.test(`addresses anywhere, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const wrong: string[] = []
    for (let i = 0; i < 500; i++) {
      const bits = random.chance(0.5) ? 32 : 128
      let value = random.bytes(bits / 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
      // Near to some network more often than chance would have it.
      const near = random.pick(REGISTERED)
      if (near.bits === bits && random.chance(0.5)) value = near.first + (value % (near.last - near.first + 1n))
      else if (bits === 128 && random.chance(0.5)) value = GLOBAL.first + (value >> 3n)
      const text = fromBig({ bits, value }, random.integer(3))
      if ((findRefusedNetwork(text) === undefined) !== isPublic({ bits, value })) wrong.push(text)
    }
    t.strictSame(wrong, [])
  })
}

t.test('what is no address is refused', async (t) => {
  for (const text of ['', 'localhost', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '1.2.3.4 ', '[::1]', '1.2.3'])
    t.ok(findRefusedNetwork(text), JSON.stringify(text))
  t.ok(findRefusedNetwork('2606:4700::1111%eth0'), 'nor is one with a zone')
  t.equal(findRefusedNetwork('2606:4700::1111'), undefined)
  t.equal(findRefusedNetwork('1.1.1.1'), undefined)
})

t.test('this node is for visitors', async (t) => {
  const policy = createPublicPolicy(() => ['127.0.0.1', '1.2.3.4', '2A00:0:0:0:0:0:0:5', 'fe80::1%eth0', 'nonsense'])
  const judge = (address: string, port: number, by: 'tcp' | 'http') => policy.judge({ address, port, by })?.why
  for (const address of ['1.2.3.4', '2a00::5', '2a00:0::0:5', '2A00::0.0.0.5']) {
    t.equal(judge(address, 443, 'http'), undefined)
    t.equal(judge(address, 80, 'http'), undefined)
    t.equal(judge(address, 8080, 'http'), 'own-address')
    t.equal(judge(address, 443, 'tcp'), 'own-address')
    t.equal(judge(address, 53, 'tcp'), 'own-address')
  }
  t.equal(judge('1.2.3.5', 443, 'tcp'), undefined)
  t.equal(judge('1.2.3.5', 8080, 'http'), undefined)
  t.equal(judge('127.0.0.1', 80, 'http'), 'address')
  for (const port of [25, 0, 65536, -1, 1.5, Number.NaN]) t.equal(judge('1.2.3.5', port, 'tcp'), 'port', String(port))
})

t.test('the page says what is so', async (t) => {
  const page = readFileSync('docs/sandbox.md', 'utf8')
  const rows = [...page.matchAll(/^\| `([0-9a-f.:]+\/\d+)` \| (.*) \| (RFC \d+) \|$/gm)]
  t.strictSame(
    rows.map(([, network, what, source]) => ({ network, what, source })),
    [...REFUSED_IPV4, ...REFUSED_IPV6],
  )
  const names = /those that end in ([^.]*)\./.exec(page)?.[1]?.match(/(?<=`)[a-z]+(?=`)/g)
  t.strictSame(names, [...REFUSED_NAMES])
  const { maxOpenOfRun, maxOpen, perSecond, burst, maxOpenOfAll, maxBytes, bytesPerSecond, burstBytes } =
    OUTGOING_LIMITS
  const mib = (bytes: number) => `${bytes / 1024 / 1024} MiB`
  for (const text of [
    `of one run | ${maxOpenOfRun} under way`,
    `${maxOpen} under way; ${perSecond} begun a second, ${burst} after`,
    `${maxOpenOfAll.toLocaleString('en')} under way`,
    `in each direction | ${mib(maxBytes)}`,
    `${mib(bytesPerSecond)} a second, ${mib(burstBytes)} after`,
  ])
    t.ok(page.includes(text), text)
})
