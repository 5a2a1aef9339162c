import t from 'tap'
import { Observer } from '../../../core/health/observer.ts'
import type { ProbeOutcome } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const MAX_AGE_MS = 40_000

/** States after each result; `u`, `d` and `n` are up, down and unable. */
function states(results: string, failures = 3, successes = 2): string {
  const observer = new Observer({ failures, successes })
  const outcomes: Record<string, ProbeOutcome> = { u: 'up', d: 'down', n: 'unable' }
  return [...results]
    .map((letter, i) => {
      observer.record(outcomes[letter] as ProbeOutcome, `failure ${i}`, i * 1000)
      return observer.observation(i * 1000, MAX_AGE_MS)?.state[0] ?? '-'
    })
    .join('')
}

t.test('thresholds', async (t) => {
  t.equal(states('u'), 'u', 'the first success counts')
  t.equal(states('ddd'), '--d', 'the first failure does not')
  t.equal(states('dduddd'), '--uuud')
  t.equal(states('uddudddd'), 'uuuuuudd', 'a success in between begins the count anew')
  t.equal(states('ddduduu'), '--ddddu')
  t.equal(states('ud', 1, 1), 'ud')
})

t.test('a probe that can tell nothing hides what was seen, and does not forget it', async (t) => {
  t.equal(states('dddnd'), '--d-d')
  t.equal(states('dddnu'), '--d-d', 'coming up takes its two successes')
  t.equal(states('unu'), 'u-u')
  t.equal(states('uddnd'), 'uuu-u', 'failures are in a row or do not count')
})

t.test('an observation grows old, and keeps its first reason', async (t) => {
  const observer = new Observer({ failures: 2, successes: 2 })
  for (const at of [0, 1000, 2000]) observer.record('down', `failure at ${at}`, at)
  t.same(observer.observation(2000, MAX_AGE_MS), {
    state: 'down',
    sinceMs: 1000,
    atMs: 2000,
    reason: 'failure at 1000',
  })
  t.ok(observer.observation(2000 + MAX_AGE_MS, MAX_AGE_MS))
  t.equal(observer.observation(2001 + MAX_AGE_MS, MAX_AGE_MS), undefined)
})

for (const seed of seeds(20)) {
  t.test(`what is observed was seen so often in a row, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const [failures, successes] = [1 + random.integer(4), 1 + random.integer(4)]
    const results = Array.from({ length: 200 }, () => random.pick(['u', 'd'])).join('')
    let before = '-'
    for (const [i, state] of [...states(results, failures, successes)].entries()) {
      const needed = state === 'd' ? failures : before === '-' ? 1 : successes
      const run = results.slice(Math.max(0, i + 1 - needed), i + 1)
      const reached = (letter: string, count: number) => results.slice(0, i + 1).endsWith(letter.repeat(count))
      if (state !== before && run !== state.repeat(needed)) t.fail(`${state} after ${run}`)
      if (before === 'u' && state === 'u' && reached('d', failures)) t.fail('it should be down')
      if (before === 'd' && state === 'd' && reached('u', successes)) t.fail('it should be up')
      before = state
    }
    t.not(before, '-')
  })
}
