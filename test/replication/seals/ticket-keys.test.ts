import t from 'tap'
import { type MemberKey, silentLog } from '../../../core/index.ts'
import { sealValue, TICKET_WINDOW_MS, TicketKeys } from '../../../replication/seals/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { World, type WorldNode } from './seal-world.ts'

const WINDOW_MS = TICKET_WINDOW_MS

/** Nodes of a world with ticket keys; those of a side hear each other say them. */
class TicketWorld extends World {
  readonly using = new Map<WorldNode, string[]>()
  readonly #keys = new Map<WorldNode, TicketKeys>()
  readonly #hear = new Set<() => void>()

  start(node: WorldNode): TicketKeys {
    const used: string[] = []
    this.using.set(node, used)
    const peersOf = () => this.nodes.filter((one) => one.side === node.side)
    const keys = new TicketKeys({
      replica: node.replica,
      self: node.signer.key,
      opener: node.keeper,
      peers: {
        said: () =>
          new Map(
            peersOf().flatMap((one) => {
              const said = one === node ? undefined : this.#keys.get(one)?.said
              return said === undefined ? [] : [[one.signer.key, said] as const]
            }),
          ),
        up: () => new Set<MemberKey>(peersOf().map(({ signer }) => signer.key)),
        onChange: (listener) => {
          this.#hear.add(listener)
          return () => this.#hear.delete(listener)
        },
      },
      use: (bytes) => used.push(Buffer.from(bytes).toString('hex')),
      runtime: this.runtime,
      log: silentLog,
    })
    this.#keys.set(node, keys)
    return keys
  }

  override gossip(): void {
    super.gossip()
    for (const hear of this.#hear ?? []) hear()
  }

  /** What each node uses now. */
  now(nodes: readonly WorldNode[] = this.nodes): (string | undefined)[] {
    return nodes.map((node) => this.using.get(node)?.at(-1))
  }

  stop(): void {
    for (const keys of this.#keys.values()) keys[Symbol.dispose]()
  }
}

const isOne = (keys: readonly (string | undefined)[]) => keys[0] !== undefined && new Set(keys).size === 1

async function started(seed: number, count: number) {
  const world = new TicketWorld(seed)
  const first = world.add(1)
  for (let i = 2; i <= count; i++) world.add(i, first)
  world.gossip()
  for (const node of world.nodes) world.start(node)
  await world.pass(60_000)
  return world
}

t.test('all nodes use the same keys, each time new after twelve hours, and say them to nobody else', async (t) => {
  await using world = await started(1, 4)
  t.ok(isOne(world.now()))
  const seen = new Set(world.now())
  for (let i = 0; i < 4; i++) {
    await world.pass(WINDOW_MS, 600_000)
    await world.pass(60_000)
    t.ok(isOne(world.now()))
    for (const key of world.now()) seen.add(key)
  }
  t.equal(seen.size, 5)
  const late = world.add(9, world.nodes[0])
  world.start(late)
  await world.pass(60_000)
  t.ok(isOne(world.now()) && seen.has(world.now()[0]), 'one that joins or starts again takes those that are there')
  world.stop()
})

t.test('at the very moment at which a node is removed nobody uses what it knew', async (t) => {
  await using world = await started(2, 3)
  const [first, second, thief] = world.nodes as [WorldNode, WorldNode, WorldNode]
  const [known] = world.now()
  first.replica.write(world.cluster.operator, [{ kind: 'node.remove', key: thief.signer.key, how: 'revoke' }])
  t.not(world.now([first])[0], known, 'before anything else happens')
  thief.side = 1
  await world.pass(120_000)
  t.ok(isOne(world.now([first, second])))
  t.not(world.now([first])[0], known)
  // It goes on saying what everybody can seal: nobody listens.
  const epoch = first.keeper.present()
  if (epoch === undefined) throw new Error('there is no epoch')
  const window = Math.floor(world.runtime.now() / WINDOW_MS)
  const place = { cluster: first.replica.cluster, purpose: `tickets ${window}` }
  const box = Array.from({ length: 50 }, () => sealValue(epoch, new Uint8Array(48), place, world.runtime)).map(
    ({ box }) => box,
  )
  const before = world.now([first, second])
  thief.side = 0
  const said = { window, epoch, box: box.sort()[0] as string }
  Object.defineProperty(world.start(thief), 'said', { get: () => said })
  await world.pass(60_000)
  t.same(world.now([first, second]), before)
  world.stop()
})

t.test('two halves of a partition go on, and agree afterwards', async (t) => {
  await using world = await started(3, 4)
  const [a, b, c, d] = world.nodes as [WorldNode, WorldNode, WorldNode, WorldNode]
  for (const node of [c, d]) node.side = 1
  await world.pass(WINDOW_MS, 600_000)
  await world.pass(60_000)
  t.ok(isOne(world.now([a, b])) && isOne(world.now([c, d])))
  t.not(world.now([a])[0], world.now([c])[0])
  for (const node of [c, d]) node.side = 0
  await world.pass(30_000)
  t.ok(isOne(world.now()))
  world.stop()
})

for (const seed of seeds(4)) {
  t.test(
    `joins, splits, removals and time: whoever hears each other agrees within a minute (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      await using world = await started(seed, 3)
      const gone = new Set<WorldNode>()
      for (let step = 0; step < 12; step++) {
        const live = world.nodes.filter((node) => !gone.has(node))
        const node = random.pick(live)
        if (random.chance(0.2) && live.length < 6) world.start(world.add(10 + step, node))
        else if (random.chance(0.4)) node.side = random.integer(2)
        else if (random.chance(0.3) && live.length > 2) {
          const other = live.find((one) => one !== node) as WorldNode
          const known = world.now([node])[0]
          other.replica.write(world.cluster.operator, [{ kind: 'node.remove', key: node.signer.key, how: 'revoke' }])
          gone.add(node)
          node.side = 7
          t.ok(world.now([other])[0] !== known || known === undefined)
        } else await world.pass(random.integer(WINDOW_MS), 1_800_000)
        await world.pass(90_000, 1000)
        for (const side of [0, 1]) {
          const together = world.nodes.filter((one) => !gone.has(one) && one.side === side)
          if (together.length > 1) t.ok(isOne(world.now(together)), `step ${step}, side ${side}`)
        }
      }
      world.stop()
    },
  )
}
