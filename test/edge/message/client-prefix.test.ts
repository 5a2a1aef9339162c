import { BlockList } from 'node:net'
import t from 'tap'
import { clientPrefix, plainAddress } from '../../../edge/message/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('networks of clients', async (t) => {
  for (const [address, prefix] of [
    ['192.0.2.7', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:DB8:0001::', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['::1', '::/48'],
    ['1::', '1::/48'],
    ['64:ff9b::192.0.2.7', '64:ff9b::/48'],
    ['', 'unknown'],
    ['nobody', 'unknown'],
    ['1.2.3.4.5', 'unknown'],
  ] as const)
    t.equal(clientPrefix(address), prefix, address)
  t.equal(plainAddress('::ffff:192.0.2.7'), '192.0.2.7')
})

for (const seed of seeds(20)) {
  t.test(`an address lies in its network, and one outside has another, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const draw = () => {
      const groups = Array.from({ length: 8 }, () => (random.chance(0.4) ? 0 : random.integer(65_536)))
      const text = groups.map((group) => group.toString(16)).join(':')
      return random.chance(0.5) ? text.replace(/(^|:)0(:0)+(:|$)/, '::') : text
    }
    for (let i = 0; i < 50; i++) {
      const [address, other] = [draw(), draw()]
      const [network = '', bits = ''] = clientPrefix(address).split('/')
      const list = new BlockList()
      list.addSubnet(network, Number(bits), 'ipv6')
      t.ok(list.check(address, 'ipv6'), `${address} in ${network}`)
      t.equal(clientPrefix(other) === clientPrefix(address), list.check(other, 'ipv6'), `${other} in ${network}`)
    }
  })
}
