import t from 'tap'
import { type OperationId, silentLog, verifySignature, verifySignatureAside } from '../../../core/index.ts'
import { createMemoryStore, Replica, type SignatureCheck } from '../../../replication/index.ts'
import { type Arrival, verifyArrivals } from '../../../replication/replica/verify.ts'
import { createTestCluster, randomHistory } from '../../support/histories.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { cluster as chainCluster, createChain } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const cluster = createTestCluster()

/** Right ones, some twice, some under a wrong id, some with a wrong signature or no operation at all. */
function randomArrivals(random: Random, history: readonly { id: OperationId; bytes: Uint8Array }[]): Arrival[] {
  return history.flatMap((operation): Arrival[] => {
    const { id, bytes } = operation
    const claimed = random.chance(0.5) ? { claimed: id } : {}
    const right = { bytes, ...claimed }
    const garbled = new Uint8Array(bytes)
    garbled[random.integer(random.chance(0.8) ? 64 : bytes.length)]! ^= 1 + random.integer(255)
    const wrong = { bytes: garbled, ...claimed }
    const under = { bytes, claimed: random.pick(history).id }
    return random.pick([[right], [right], [right], [right, right], [wrong], [wrong, right], [right, wrong], [under]])
  })
}

for (const seed of seeds(12)) {
  t.test(`signatures that are checked aside give what those checked at once do (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHistory(random, cluster, { operations: 120, membership: 0.1, backdated: 0.2 })
    const stored = new Map(history.filter(() => random.chance(0.2)).map(({ id, bytes }) => [id, bytes]))
    const arrivals = randomArrivals(random, history)
    const verify = (check: SignatureCheck) =>
      verifyArrivals(arrivals, {
        cluster: cluster.id,
        has: (id) => stored.has(id),
        read: async (id) => stored.get(id),
        check,
      })
    const plain = await verify(verifySignature)
    t.same(await verify(verifySignatureAside), plain)
    // In any order in which threads come back.
    const late: (() => void)[] = []
    const shuffled = verify((...args) => {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      late.push(() => resolve(verifySignature(...args)))
      setImmediate(() => late.splice(random.integer(late.length), 1)[0]?.())
      return promise
    })
    t.same(await shuffled, plain)
    const ids = new Set(history.map(({ id }) => id))
    t.ok(plain.operations.length > 20 && plain.refused.length > 5 && plain.known.length > 0)
    for (const { id } of plain.operations) t.ok(ids.has(id) && !stored.has(id))
  })
}

t.test('a replica checks a few at once, and gives many away; what is refused there is not stored', async (t) => {
  const chain = createChain(12)
  const given: string[] = []
  const runtime = new FakeRuntime(1)
  await using store = createMemoryStore(runtime)
  await using replica = await Replica.open({
    store,
    cluster: chainCluster.id,
    runtime,
    log: silentLog,
    checkSignature: async (...args) => {
      given.push(Buffer.from(args[2]).toString('hex'))
      return given.length !== 9 && (await verifySignatureAside(...args))
    },
  })
  const bytes = chain.map((operation) => operation.bytes)
  t.equal((await replica.merge(bytes.slice(0, 2))).added.length, 2)
  t.equal(given.length, 0)
  const report = await replica.merge(bytes.slice(2))
  t.same(
    given,
    bytes.slice(2).map((operation) => Buffer.from(operation.subarray(0, 64)).toString('hex')),
  )
  t.match(report.refused, [/signature/])
  t.equal(report.added.length, 8)
  t.same(report.missing, [chain[10]?.id], 'what follows the refused one waits for it')
  t.equal(replica.count, 10)
})

t.test('a check on another thread is false for what is no signature, and never throws', async (t) => {
  const { bytes } = cluster.creation
  const { key } = cluster.operator
  t.equal(await verifySignatureAside(key, bytes, new Uint8Array(63)), false)
  t.equal(await verifySignatureAside(key, bytes, new Uint8Array(64)), false)
  // A key that is no point of the curve, or that the library does not take.
  t.equal(await verifySignatureAside('7'.repeat(51).concat('q') as typeof key, bytes, new Uint8Array(64)), false)
})
