import t from 'tap'
import { createRandom, seeds } from '../../support/seeds.ts'
import { type FuzzResult, fuzz } from './fuzzing.ts'
import { COOKIE_GROWTH } from './reply-invariants.ts'

/** With 20 seeds, 40,000 messages; `npm run fuzz -- --messages 1000000` sends more. */
const MESSAGES = 2000

/** Header, the name of the root, type, class, and an OPT without options: no query that allows 1232 octets is shorter. */
const LARGEST_FACTOR = 1232 / (12 + 1 + 4 + 11)
/** A refusal is its question, and at most a server cookie longer. */
const REFUSAL_FACTOR = 1 + COOKIE_GROWTH / 12
/** Kinds that anybody can have for any name, and the most that they may bring. */
const BOUNDS: Readonly<Record<string, number>> = {
  FORMERR: REFUSAL_FACTOR,
  NOTIMP: REFUSAL_FACTOR,
  REFUSED: REFUSAL_FACTOR,
  BADVERS: REFUSAL_FACTOR,
  SERVFAIL: REFUSAL_FACTOR,
  truncated: REFUSAL_FACTOR,
  cut: REFUSAL_FACTOR,
  NXDOMAIN: 4.5,
  NODATA: 4.5,
  // 256 octets for the shortest question of a zone that there is.
  ANY: 256 / (12 + 5 + 4),
}

const totals: FuzzResult['amplification'] = new Map()

for (const seed of seeds(20)) {
  t.test(`nothing that arrives does harm (seed ${seed})`, async (t) => {
    const { broken, outcomes, amplification } = fuzz(createRandom(seed), MESSAGES)
    t.strictSame(broken, [])
    for (const outcome of ['NOERROR', 'FORMERR', 'REFUSED', 'NXDOMAIN', 'NOTIMP', 'BADVERS', 'drop']) {
      t.ok((outcomes.get(outcome) ?? 0) > 0, `${outcome}: ${outcomes.get(outcome)}`)
    }
    for (const [kind, factor] of amplification) {
      const bound = BOUNDS[kind] ?? LARGEST_FACTOR
      if (factor > bound) t.fail(`${kind}: ${factor} times the query, at most ${bound} are allowed`)
      totals.set(kind, Math.max(totals.get(kind) ?? 0, factor))
    }
  })
}

t.test('how much longer than its query an answer over UDP is', async (t) => {
  for (const [kind, factor] of [...totals].sort(([, a], [, b]) => b - a)) t.comment(`${kind}: ${factor.toFixed(2)}`)
  t.ok((totals.get('answer') ?? 0) > 10, 'and large answers were among them')
})
