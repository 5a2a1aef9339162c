import t from 'tap'
import type { Machine } from '../../../cli/config/index.ts'
import { planUpdate } from '../../../cli/machine/plan-update.ts'
import { readUpdate } from '../../../cli/machine/read-update.ts'
import type { MemberKey, NodeName, NodeView } from '../../../core/index.ts'
import { createTestCluster } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { testKey } from '../support/test-cluster.ts'

const node = (number: number, over: Partial<NodeView> = {}): NodeView => ({
  key: testKey(number).key as MemberKey,
  name: `node${number}` as NodeName,
  ipv4: `9.9.9.${number}`,
  ipv6: `2606:4700::${number}`,
  place: { latitude: 1, longitude: 2 },
  nameserver: true,
  drained: false,
  schema: 3,
  mesh: null,
  ...over,
})
const machine = (number: number, over: Partial<Machine> = {}): Machine => ({
  name: `node${number}` as NodeName,
  sshTarget: `root@9.9.9.${number}`,
  isNameserver: true,
  ipv4: `9.9.9.${number}`,
  ipv6: `2606:4700::${number}`,
  latitude: 1,
  longitude: 2,
  ...over,
})
const nodes = [node(1), node(2)]
const cluster = createTestCluster().id
const present = { name: 'node1', machine: machine(1), node: node(1), nodes, cluster }

t.test('flags that are no address, place or anything', async (t) => {
  const bad = [
    {},
    { ipv4: '1.2.3' },
    { ipv4: '2606:4700::1' },
    { ipv6: '9.9.9.9' },
    { ipv6: 'fe80::1%eth0' },
    { ipv6: '' },
    { lat: '91' },
    { lat: '1e1' },
    { lon: '-180.5' },
    { lon: 'east' },
  ]
  for (const flags of bad) t.throws(() => readUpdate(flags), { code: 'MAKI_USAGE' }, JSON.stringify(flags))
  t.strictSame(readUpdate({ ipv4: 'NONE', ipv6: '2606:4700:0:0::00AB', lat: '-90', lon: '+180.0' }), {
    ipv4: null,
    ipv6: '2606:4700::ab',
    latitude: -90,
    longitude: 180,
  })
})

t.test('only what is another is written', async (t) => {
  const same = planUpdate(present, readUpdate({ ipv4: '9.9.9.1', lat: '1', lon: '2', ns: true }))
  t.match(same, { change: undefined, machine: undefined, cautions: [] })
  const moved = planUpdate(present, readUpdate({ ipv4: '9.9.9.8', ns: false }))
  t.strictSame(moved.change, {
    kind: 'node.update',
    key: node(1).key,
    set: { addresses: { ipv4: '9.9.9.8', ipv6: '2606:4700::1' }, nameserver: false },
  })
  t.match(moved.machine, { ipv4: '9.9.9.8', isNameserver: false, sshTarget: 'root@9.9.9.1' })
  const way = planUpdate(present, readUpdate({ 'ssh-target': 'admin@web.example.org', port: 2222 }))
  t.equal(way.change, undefined)
  t.match(way.machine, { sshTarget: 'admin@web.example.org', port: 2222 })
  t.match(planUpdate(present, readUpdate({ lat: '5' })).change?.set, { place: { latitude: 5, longitude: 2 } })
})

t.test('what cannot be is refused, what may be meant is said', async (t) => {
  const refused: [Parameters<typeof planUpdate>, RegExp][] = [
    [[present, { ipv4: null, ipv6: null }], /no address left/],
    [[present, { ipv4: '9.9.9.2' }], /is the address of node2/],
    [[{ ...present, nodes: [node(1), node(2, { ipv6: '2606:4700:0::2' })] }, { ipv6: '2606:4700::2' }], /of node2/],
    [[{ ...present, node: node(1, { place: null }) }, { latitude: 1 }], /half a place/],
    [
      [{ ...present, node: node(1, { name: 'a_b' as NodeName, nameserver: false }) }, { nameserver: true }],
      /letters, digits/,
    ],
    [[{ ...present, machine: undefined }, { port: 1 }], /no entry in this profile/],
    [[{ ...present, node: undefined }, { ipv4: null }], /no node of the cluster/],
    [
      [{ ...present, machine: { name: 'node1' as NodeName, isNameserver: true, control: '/c' } }, { port: 1 }],
      /maki dev/,
    ],
  ]
  for (const [args, message] of refused) t.throws(() => planUpdate(...args), { message }, String(message))
  t.match(planUpdate(present, { ipv4: '10.0.0.7' }).cautions, [/10\.0\.0\.7 is not public/])
  t.strictSame(planUpdate({ ...present, node: node(1, { ipv4: '10.0.0.7' }) }, { latitude: 3 }).cautions, [])
})

t.test('an update that was made is no update any more', async (t) => {
  for (const seed of seeds(300)) {
    const { pick: pickOf } = createRandom(seed)
    const pick = <T>(...values: T[]): T => pickOf(values)
    const update = {
      ...pick({}, { ipv4: '9.9.9.7' }, { ipv4: '9.9.9.1' }),
      ...pick({}, { ipv6: '2606:4700::7' }, { ipv6: null }),
      ...pick({}, { latitude: 4 }, { longitude: 5 }),
      ...pick({}, { nameserver: false }),
      ...pick({}, { sshTarget: 'root@x.example.org' }, { port: 22 }),
    }
    const first = planUpdate(present, update)
    const again = planUpdate({ ...present, machine: first.machine ?? present.machine, node: first.node }, update)
    t.match(again, { change: undefined, machine: undefined, cautions: [] }, `seed ${seed}`)
    t.strictSame(first.node?.ipv4 ?? undefined, (first.machine ?? present.machine).ipv4, 'the profile repeats it')
  }
})
