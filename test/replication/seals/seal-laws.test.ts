import t from 'tap'
import {
  type Change,
  createSigner,
  findSealEpoch,
  liveNodes,
  type MemberKey,
  type SealEpochKey,
  type Sealed,
  sealPurpose,
} from '../../../core/index.ts'
import { createEpoch, sealGrant, sealValue } from '../../../replication/seals/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { seedOf, World, type WorldNode } from './seal-world.ts'

/** A value as a laptop sealed it, and who had to be kept from it as far as the laptop knew: the removed, and outsiders. */
interface SealedByLaptop {
  readonly sealed: Sealed
  readonly strangers: readonly MemberKey[]
}

const PURPOSE = sealPurpose.certificate('example.com')
const VALUE = new TextEncoder().encode('the secret')
const thief = createSigner(seedOf(200))
const deployer = createSigner(seedOf(201))

/** Seals as a laptop does that has pulled from this node: it knows the state and nothing else. */
function sealAt(world: World, { replica }: WorldNode): SealedByLaptop | undefined {
  const epoch = findSealEpoch(replica)
  if (epoch === undefined) return undefined
  const joined = [...replica.operations.values()].flatMap(({ changes }) =>
    changes.flatMap((change) => (change.kind === 'node.join' ? [change.key] : [])),
  )
  const sealed = sealValue(epoch.key, VALUE, { cluster: replica.cluster, purpose: PURPOSE }, world.runtime)
  return {
    sealed,
    strangers: [...joined.filter((key) => replica.members.get(key)?.cuts.length !== 0), thief.key, deployer.key],
  }
}

/** What somebody writes who has a key that he should not have; he knows every private half that the key's owner knows. */
function attack(
  world: World,
  random: Random,
  at: WorldNode,
  victim: WorldNode,
  known: Map<SealEpochKey, MemberKey>,
): void {
  const secret = createEpoch(world.runtime)
  const { replica } = at
  const target = random.pick(world.nodes).signer.key
  const present = findSealEpoch(replica)?.key ?? secret.epoch
  const garbage = Buffer.from(random.bytes(112)).toString('base64url')
  const foreign = sealGrant(createEpoch(world.runtime), target, replica.cluster, world.runtime)
  const writes: readonly Change[][] = [
    [{ kind: 'seal.epoch', epoch: secret.epoch }],
    [{ kind: 'seal.epoch', epoch: present }],
    [{ kind: 'seal.grant', epoch: present, node: target, box: garbage }],
    [{ kind: 'seal.grant', epoch: present, node: target, box: foreign }],
    [
      { kind: 'seal.epoch', epoch: secret.epoch },
      {
        kind: 'seal.grant',
        epoch: secret.epoch,
        node: thief.key,
        box: sealGrant(secret, thief.key, replica.cluster, world.runtime),
      },
    ],
    [{ kind: 'seal.epoch', epoch: 'a'.repeat(52) as SealEpochKey }],
  ]
  const signer = random.pick([victim.signer, world.cluster.operator, deployer])
  known.set(secret.epoch, signer.key)
  replica.write(signer, random.pick(writes))
}

/** Joins, removals, partitions, stolen keys; returns what was sealed on the way. */
async function live(world: World, random: Random, hostile: boolean) {
  const sealed: SealedByLaptop[] = []
  const knownToThief = new Map<SealEpochKey, MemberKey>()
  let number = 10
  world.add(number++)
  world.add(number++, world.nodes[0])
  world.gossip()
  world.nodes[0]?.replica.write(world.cluster.operator, [
    { kind: 'operator.add', key: deployer.key, name: 'ci', role: 'deployer', domains: [] },
  ])
  for (let step = 0; step < 25; step++) {
    const at = random.pick(world.nodes)
    const live = liveNodes(at.replica)
    switch (random.integer(hostile ? 7 : 6)) {
      case 0:
        if (world.nodes.length < 8) world.add(number++, at)
        break
      case 1:
        if (live.size > 2) {
          const key = random.pick([...live])
          at.replica.write(world.cluster.operator, [
            { kind: 'node.remove', key, how: random.pick(['retire', 'revoke']) },
          ])
        }
        break
      case 2:
        for (const node of world.nodes) node.side = random.integer(2)
        break
      case 3:
        await world.pass(random.integer(12_000), 1000)
        break
      case 4:
      case 5:
        for (const node of world.nodes) {
          const one = sealAt(world, node)
          if (one !== undefined) sealed.push(one)
        }
        break
      default:
        attack(world, random, at, random.pick(world.nodes), knownToThief)
    }
  }
  for (const node of world.nodes) node.side = 0
  world.gossip()
  await world.pass(40_000, 1000)
  return { sealed, knownToThief }
}

for (const hostile of [false, true]) {
  for (const seed of seeds(6)) {
    t.test(`joins, removals and partitions${hostile ? ' with stolen keys' : ''}, seed ${seed}`, async (t) => {
      const random = createRandom(seed)
      await using world = new World(seed)
      const { sealed, knownToThief } = await live(world, random, hostile)
      // Time for a node that was granted in vain to begin an epoch that all can open.
      if (hostile) await world.pass(120_000, 2000)
      const byKey = new Map(world.nodes.map((node) => [node.signer.key, node]))
      const leaks = sealed.filter(({ sealed: { epoch }, strangers }) =>
        strangers.some((key) => (key === thief.key ? false : byKey.get(key)?.keeper.holds(epoch) === true)),
      )
      t.same(leaks, [], `${sealed.length} values`)
      // Who has the key of a node that nobody has removed can read along; everybody else with a stolen key cannot.
      const toThief = sealed.filter(({ sealed: { epoch }, strangers }) => {
        const signer = knownToThief.get(epoch)
        return signer !== undefined && (strangers.includes(signer) || !byKey.has(signer))
      })
      t.same(toThief, [], 'nobody seals to an epoch of an operator, a deployer or a removed node')
      const [first] = world.nodes
      const { replica } = first!
      const members = [...liveNodes(replica)].map((key) => byKey.get(key)!)
      const present = new Set(members.map(({ keeper }) => keeper.present()))
      t.equal(present.size, 1, 'all seal to one epoch')
      const [epoch] = present
      t.ok(epoch !== undefined)
      t.same(
        members.filter(({ keeper }) => !keeper.holds(epoch!)).map(({ signer }) => signer.key),
        [],
        'and all open it',
      )
    })
  }
}
