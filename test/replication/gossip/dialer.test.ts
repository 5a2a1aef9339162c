import t from 'tap'
import type { MemberKey } from '../../../core/index.ts'
import { Dialer, MAX_NEIGHBOURS, parseDialTarget } from '../../../replication/gossip/dialer.ts'
import { chooseLink, type LinkClaim } from '../../../replication/gossip/link-choice.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const addressesOf = (count: number) => Array.from({ length: count }, (_, i) => `10.0.0.${i + 1}:8787`)
const keyOf = (address: string) => `key of ${address}` as MemberKey

function create(seed: number) {
  const runtime = new ManualRuntime(seed)
  const dialled: string[] = []
  const linked = new Set<MemberKey>()
  const dialer = new Dialer({ runtime, dial: (address) => dialled.push(address), isLinked: (key) => linked.has(key) })
  return { runtime, dialled, linked, dialer }
}

t.test('addresses are parsed once, at the border', async (t) => {
  t.same(parseDialTarget('10.0.0.1:8787'), { host: '10.0.0.1', port: 8787 })
  t.same(parseDialTarget('[fd00::1]:1'), { host: 'fd00::1', port: 1 })
  t.same(parseDialTarget('node.example.com:65535'), { host: 'node.example.com', port: 65_535 })
  for (const wrong of [
    '',
    '10.0.0.1',
    ':1',
    'a:0',
    'a:65536',
    'fd00::1:8787',
    '[nowhere]:1',
    'a:b',
    'a:1 ',
    '[fd00::1]',
  ])
    t.throws(() => parseDialTarget(wrong), { code: 'MAKI_CONFIG' }, JSON.stringify(wrong))
})

t.test('few are dialled all, many four at a time', async (t) => {
  const few = create(1)
  few.dialer.setAddresses(addressesOf(MAX_NEIGHBOURS))
  t.same(few.dialled.toSorted(), addressesOf(MAX_NEIGHBOURS))

  const many = create(1)
  many.dialer.setAddresses(addressesOf(50))
  t.equal(new Set(many.dialled).size, 4)
  const [first] = many.dialled as [string]
  many.dialer.lost(first, 'failed')
  t.equal(many.dialled.length, 5, 'another takes its place at once')
  for (const address of many.dialled.slice(1)) many.dialer.linked(address, keyOf(address))
  many.runtime.advance(120_000)
  t.equal(many.dialled.length, 5, 'four links are enough')
})

t.test('failures wait longer each time, a good link starts afresh', async (t) => {
  const { runtime, dialled, dialer } = create(2)
  const address = '10.0.0.1:1'
  dialer.setAddresses([address])
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    const at = runtime.now()
    const before = dialled.length
    dialer.lost(address, 'failed')
    while (dialled.length === before) runtime.advance(1)
    waits.push(runtime.now() - at)
  }
  for (const [i, wait] of waits.entries()) {
    const full = Math.min(30_000, 500 * 2 ** i)
    t.ok(wait >= full / 2 && wait <= full + 1, `${wait} of ${full} ms`)
  }
  dialer.linked(address, keyOf(address))
  runtime.advance(10_000)
  const before = dialled.length
  dialer.lost(address, 'failed')
  runtime.advance(501)
  t.equal(dialled.length, before + 1)
})

t.test('what is linked another way is not dialled until that ends', async (t) => {
  const { runtime, dialled, linked, dialer } = create(3)
  const address = '10.0.0.1:1'
  dialer.setAddresses([address])
  linked.add(keyOf(address))
  dialer.lost(address, 'duplicate', keyOf(address))
  runtime.advance(60_000)
  t.equal(dialled.length, 1)
  linked.clear()
  dialer.fill()
  t.equal(dialled.length, 2)
  dialer.lost(address, 'self')
  runtime.advance(60_000)
  t.equal(dialled.length, 2, 'ourselves: never again')
})

t.test('addresses that are taken away and a closed dialer are quiet', async (t) => {
  const { runtime, dialled, dialer } = create(4)
  dialer.setAddresses(addressesOf(2))
  for (const address of addressesOf(2)) dialer.lost(address, 'failed')
  dialer.setAddresses(addressesOf(1))
  runtime.advance(60_000)
  t.equal(dialled.length, 3)
  t.throws(() => dialer.setAddresses(['wrong']), { code: 'MAKI_CONFIG' })
  dialer.lost(addressesOf(1)[0] as string, 'failed')
  dialer.close()
  runtime.advance(60_000)
  t.equal(dialled.length, 3)
  t.equal(runtime.timers, 0)
})

for (const seed of seeds(5)) {
  t.test(`of two links both sides keep the same one, in whatever order they came (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const keys = ['a', 'b'] as MemberKey[]
    for (let i = 0; i < 200; i++) {
      // The peer's incarnation as one side sees it; the initiator is what both see.
      const one: LinkClaim = { incarnation: random.integer(2), initiator: random.pick(keys) }
      const two: LinkClaim = { incarnation: random.integer(2), initiator: random.pick(keys) }
      if (one.initiator === two.initiator && one.incarnation === two.incarnation) {
        t.equal(chooseLink(one, two), 'take-new')
        continue
      }
      const kept = chooseLink(one, two) === 'take-new' ? two : one
      const reversed = chooseLink(two, one) === 'take-new' ? one : two
      t.equal(kept, reversed)
    }
  })
}
