import t from 'tap'
import { Fold, keys, type Operation } from '../../../core/index.ts'
import { foldByDefinition } from '../../support/fold-by-definition.ts'
import { createTestCluster, domains, randomHistory, shuffleCausally } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()

function foldAll(history: readonly Operation[]): Fold {
  const fold = new Fold()
  for (const operation of history) fold.add(operation)
  return fold
}

let concurrent = 0
let based = 0
for (const seed of seeds(60)) {
  t.test(`frontier and merge base of every key are what the definition says (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const membership = seed % 2 === 0 ? 0.15 : 0.02
    const history = randomHistory(random, cluster, { operations: 40, membership, backdated: 0.3 })
    const { frontiers, mergeBases, values } = foldByDefinition(history)
    const fold = foldAll(shuffleCausally(random, history))
    for (const [key, expected] of frontiers) {
      const frontier = fold.frontier(key)
      t.same(
        frontier.map(({ operation }) => operation),
        expected,
        key,
      )
      t.same(frontier[0]?.value, values.get(key)?.[0], 'the first side is the value')
      t.equal(fold.mergeBase(key), mergeBases.get(key), `base of ${key}`)
      if (expected.length > 1) concurrent++
      if (expected.length > 1 && mergeBases.get(key) !== undefined) based++
    }
  })
}

// One seed that is replayed need not have both.
if (process.env.SEED === undefined)
  t.test('the histories above had sides with a base, and sides without', async (t) => {
    t.ok(based > 0)
    t.ok(concurrent > based)
  })

t.test('a key that nobody touched has no sides and no base', async (t) => {
  const fold = foldAll([cluster.creation])
  const never = keys.release(domains[0]!)
  t.same(fold.frontier(never), [])
  t.equal(fold.mergeBase(never), undefined)
  t.equal(fold.frontier(keys.cluster()).length, 1, 'one side where nothing is concurrent')
  t.equal(fold.mergeBase(keys.cluster()), undefined, 'the first to touch a key follows nobody')
})
