import t from 'tap'
import { Ancestry, type TableBudget } from '../../../core/fold/ancestry.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const BUDGETS: Readonly<Record<string, TableBudget | undefined>> = {
  none: { baseWords: 0, wordsPerOperation: 0 },
  few: { baseWords: 400, wordsPerOperation: 4 },
  'some that grow': { baseWords: 0, wordsPerOperation: 60 },
  'as usual': undefined,
}

/** Heads of each operation: lines, forks and merges of the newest, or of any. */
function randomHeads(random: Random, count: number): number[][] {
  const shape = random.pick(['lines', 'near', 'far', 'fork first'])
  return Array.from({ length: count }, (_, number) => {
    if (number === 0 || random.chance(0.01)) return []
    if (shape === 'fork first' && number < count / 3) return [0]
    if (random.chance(shape === 'lines' ? 0.8 : 0.3)) return [number - 1]
    const reach = shape === 'near' || shape === 'lines' ? Math.min(number, 8) : number
    const many = random.chance(0.4) ? 1 : 1 + random.integer(16)
    return [...new Set(Array.from({ length: many }, () => number - 1 - random.integer(reach)))]
  })
}

/** Slow and plain: the set of all ancestors of each. */
function pastsBySets(history: readonly (readonly number[])[]): Set<number>[] {
  const pasts: Set<number>[] = []
  for (const heads of history) pasts.push(new Set(heads.flatMap((head) => [head, ...(pasts[head] ?? [])])))
  return pasts
}

function create(history: readonly (readonly number[])[], budget?: TableBudget): Ancestry {
  return new Ancestry((operation) => history[operation] ?? [], budget)
}

for (const seed of seeds(60)) {
  t.test(`ancestry is that of sets, whatever tables may take (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const history = randomHeads(random, 150)
    const pasts = pastsBySets(history)
    for (const [name, budget] of Object.entries(BUDGETS)) {
      const ancestry = create(history, budget)
      const wrong: string[] = []
      const ask = (a: number, b: number) => {
        if (ancestry.isAncestor(a, b) !== pasts[b]?.has(a)) wrong.push(`${a} < ${b}`)
      }
      for (const [number, heads] of history.entries()) {
        ancestry.add(heads)
        for (let i = 0; i < 8; i++) ask(random.integer(number + 1), random.integer(number + 1))
        for (let a = 0; a <= number; a += 7) ask(a, number)
      }
      for (let a = 0; a < history.length; a++) for (let b = 0; b < history.length; b++) ask(a, b)
      t.same(wrong, [], `tables: ${name}`)
    }
  })
}

/** Half of them fork one operation, the others merge 16 of any. */
function wideForks(random: Random, count: number): number[][] {
  return Array.from({ length: count }, (_, number) => {
    if (number === 0) return []
    if (number < count / 2) return [0]
    return [...new Set(Array.from({ length: 16 }, () => random.integer(number)))]
  })
}

t.test(
  'merges of wide forks take no more than the budget, and some operations after them have tables again',
  async (t) => {
    const budget = { baseWords: 20_000, wordsPerOperation: 32 }
    const history = wideForks(createRandom(1), 3000)
    const ancestry = create(history, budget)
    let over = 0
    const add = (heads: number[]) => {
      if (ancestry.size >= history.length) history.push(heads)
      ancestry.add(heads)
      if (ancestry.tableWords > budget.baseWords + budget.wordsPerOperation * ancestry.size) over++
    }
    for (const heads of [...history]) add(heads)
    t.equal(over, 0)
    const withTable = history.filter((_, operation) => ancestry.hasTable(operation)).length
    t.ok(withTable < history.length, 'some have none')
    // Two at a time that are merged, as honest nodes write.
    const attacked = history.length
    let last = attacked - 1
    for (let i = 0; i < 500; i++) {
      const one = history.length
      add([last])
      add([last])
      add([one, one + 1])
      last = one + 2
    }
    t.equal(over, 0)
    // Not all of them: at this width a fork and its merge take more words than three operations bring.
    const again = history.filter((_, operation) => operation >= attacked && ancestry.hasTable(operation)).length
    t.ok(again > 0, 'some have one')
    t.ok(ancestry.isAncestor(0, last))
  },
)

t.test('a line that follows an operation without a table is walked once', async (t) => {
  let asked = 0
  const history = wideForks(createRandom(2), 1000)
  for (let i = 0; i < 1000; i++) history.push([history.length - 1])
  const ancestry = new Ancestry(
    (operation) => {
      asked++
      return history[operation] ?? []
    },
    { baseWords: 0, wordsPerOperation: 0 },
  )
  for (const heads of history) ancestry.add(heads)
  asked = 0
  let found = 0
  for (let b = 1000; b < 2000; b++) if (ancestry.isAncestor(1 + (b % 400), b)) found++
  t.ok(found > 0)
  // A glance of 32 at each question, and the past once.
  t.ok(asked <= 1000 * 32 + 1000, `${asked} heads were asked for`)
})
