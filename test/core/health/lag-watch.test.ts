import t from 'tap'
import { BEHIND_MS, MAX_HEADS, NOTE_EVERY_MS } from '../../../core/health/lag-watch.ts'
import { LagWatch, type OperationId } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Operations by number, each with its past. */
class Graph {
  readonly pasts = new Map<OperationId, ReadonlySet<OperationId>>()

  add(heads: readonly OperationId[]): OperationId {
    const id = `op${this.pasts.size}` as OperationId
    this.pasts.set(id, new Set(heads.flatMap((head) => [head, ...(this.pasts.get(head) ?? [])])))
    return id
  }

  has(id: OperationId): boolean {
    return this.pasts.has(id)
  }

  isAncestor(a: OperationId, b: OperationId): boolean {
    return this.pasts.get(b)?.has(a) ?? false
  }

  headsOf(known: ReadonlySet<OperationId>): OperationId[] {
    return [...known].filter((id) => ![...known].some((other) => this.isAncestor(id, other)))
  }
}

for (const seed of seeds(30)) {
  t.test(`behind is who lacks what we had ten minutes ago, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const graph = new Graph()
    const ours = new Set<OperationId>([graph.add([])])
    const theirs = new Set(ours)
    const watch = new LagWatch(graph)
    /** What we had, by time. */
    const had: { atMs: number; known: ReadonlySet<OperationId> }[] = []
    let verdicts = 0
    for (let nowMs = 0; nowMs < 5 * BEHIND_MS; nowMs += 20_000) {
      if (random.chance(0.2)) {
        const heads = graph.headsOf(ours)
        const id = graph.add(random.chance(0.3) ? [random.pick(heads)] : heads)
        ours.add(id)
      }
      // What they get comes with its past, and seldom.
      if (random.chance(0.02)) {
        const id = random.pick([...ours])
        for (const one of [id, ...(graph.pasts.get(id) ?? [])]) theirs.add(one)
      }
      watch.note(graph.headsOf(ours), nowMs)
      had.push({ atMs: nowMs, known: new Set(ours) })
      const behind = watch.isBehind(graph.headsOf(theirs), nowMs)
      const at = (ageMs: number) => had.findLast(({ atMs }) => nowMs - atMs >= ageMs)?.known
      const lacks = (known: ReadonlySet<OperationId> | undefined) => known !== undefined && !known.isSubsetOf(theirs)
      if (behind && !lacks(at(BEHIND_MS))) t.fail('it has all that we had')
      if (!behind && lacks(at(BEHIND_MS + NOTE_EVERY_MS))) t.fail('it is behind')
      if (behind) verdicts += 1
    }
    t.ok(verdicts > 0, 'some were behind')
  })
}

t.test('not behind while it is not known', async (t) => {
  const graph = new Graph()
  const [first, second] = [graph.add([]), graph.add([])]
  const watch = new LagWatch(graph)
  const stranger = 'unknown' as OperationId
  t.equal(watch.isBehind([first], 0), false, 'nothing was noted')
  watch.note([first, second], 0)
  t.equal(watch.isBehind([first], BEHIND_MS - 1), false)
  t.equal(watch.isBehind([first], BEHIND_MS), true)
  t.equal(watch.isBehind([first, second], BEHIND_MS), false)
  t.equal(watch.isBehind([first, stranger], BEHIND_MS), false, 'it has what we have not')
  t.equal(watch.isBehind([], BEHIND_MS), false, 'it said nothing')
  t.equal(
    watch.isBehind(
      Array.from({ length: MAX_HEADS }, () => first),
      BEHIND_MS,
    ),
    false,
    'its list was cut',
  )
})

t.test('of a thousand heads no more are compared than a node says', async (t) => {
  const graph = new Graph()
  const heads = Array.from({ length: 1000 }, () => graph.add([]))
  const watch = new LagWatch(graph)
  watch.note(heads, 0)
  t.equal(watch.isBehind(heads.slice(-MAX_HEADS + 1), BEHIND_MS), true)
  t.equal(watch.isBehind([graph.add(heads.slice(-MAX_HEADS))], BEHIND_MS), false)
})
