import t from 'tap'
import { decodeMessage, encodeCanonical, Fold, keys, type Operation, type PackedFold } from '../../../core/index.ts'
import { foldByDefinition } from '../../support/fold-by-definition.ts'
import { createTestCluster, domains, randomHistory, shuffleCausally } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

/** As it comes back from disk. */
function throughBytes({ head, lists }: PackedFold): PackedFold {
  return {
    head: decodeMessage(encodeCanonical(head)) as PackedFold['head'],
    lists: lists.map((list) => new Uint8Array(list)),
  }
}

function describe(fold: Fold, history: readonly Operation[]) {
  const { entries, touches } = fold.state.snapshot()
  const present = history.map(({ id }) => id).filter((id) => fold.has(id))
  const sorted = <T extends readonly [string, unknown]>(list: readonly T[]) =>
    [...list].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return {
    entries: sorted(entries),
    touches: sorted(touches),
    digest: fold.digest(),
    heads: fold.heads(),
    conflicts: fold.conflicts(),
    voids: fold.voids(),
    unknown: fold.unknown(),
    members: sorted([...fold.members]),
    order: [...fold.newestFirst()],
    reasons: present.map((id) => fold.voidReason(id)),
    keys: entries.map(([key]) => [key, fold.frontier(key), fold.mergeBase(key), fold.touching(key)]).sort(),
    ancestry: present.slice(-12).map((a) => present.slice(-12).map((b) => fold.isAncestor(a, b))),
  }
}

for (const seed of seeds(80)) {
  t.test(`a fold that was packed anywhere and goes on is the fold from scratch (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const membership = seed % 2 === 0 ? 0.2 : 0.03
    const history = shuffleCausally(
      random,
      randomHistory(random, cluster, { operations: 50, membership, backdated: 0.3 }),
    )
    const scratch = new Fold()
    const cut = random.integer(history.length + 1)
    for (const operation of history.slice(0, cut)) scratch.add(operation)
    const packed = scratch.pack()
    // What is packed is written down while the fold goes on.
    for (const operation of history.slice(cut)) scratch.add(operation)
    const restored = new Fold(throughBytes(packed))
    const before = new Fold()
    for (const operation of history.slice(0, cut)) before.add(operation)
    t.same(describe(restored, history), describe(before, history), `at ${cut} of ${history.length}`)
    const again = new Fold(throughBytes(restored.pack()))
    for (const operation of history.slice(cut)) {
      const delta = restored.add(operation)
      t.same(again.add(operation), delta, 'the same deltas')
    }
    t.same(describe(restored, history), describe(scratch, history), 'after the rest')
    const { values, voids } = foldByDefinition(history)
    t.same(new Set(restored.voids().map(({ operation }) => operation)), voids, 'the definition')
    const written = restored.state.snapshot().entries.map(([key, entry]) => [key, [entry?.value, entry?.operation]])
    t.same(Object.fromEntries(written), Object.fromEntries(values))
  })
}

for (const seed of seeds(80)) {
  t.test(
    `a fold that lives many lives, each grown from what the last packed, is the fold from scratch (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const history = shuffleCausally(
        random,
        randomHistory(random, cluster, { operations: 50, membership: 0.2, backdated: 0.3 }),
      )
      const scratch = new Fold()
      let living = new Fold()
      for (const operation of history) {
        if (random.chance(0.2)) living = new Fold(throughBytes(living.pack()))
        t.same(living.add(operation), scratch.add(operation))
      }
      living = new Fold(throughBytes(living.pack()))
      t.same(describe(living, history), describe(scratch, history))
    },
  )
}

t.test('a packed fold that says one thing twice is refused', async (t) => {
  const fold = new Fold()
  fold.add(cluster.creation)
  const packed = fold.pack()
  const operations = {
    ...packed.head.operations,
    demands: [...packed.head.operations.demands, ...packed.head.operations.demands],
  }
  t.throws(() => new Fold({ ...packed, head: { ...packed.head, operations } }), RangeError)
})

t.test('an empty fold can be packed', async (t) => {
  const fold = new Fold(throughBytes(new Fold().pack()))
  t.same(fold.heads(), [])
  fold.add(cluster.creation)
  t.ok(fold.state.get(keys.cluster()))
  t.same(fold.frontier(keys.domain(domains[0]!)), [])
})
