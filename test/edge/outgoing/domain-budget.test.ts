import t from 'tap'
import { DomainBudget } from '../../../edge/outgoing/domain-budget.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const LIMITS = { maxOpen: 5, maxOpenOfAll: 8, burst: 10, perSecond: 2, burstBytes: 1000, bytesPerSecond: 100 }

for (const seed of seeds(30)) {
  t.test(`no domain has more than its part, in any order, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    let nowMs = 1000
    const budget = new DomainBudget(LIMITS, { monotonic: () => nowMs })
    const held: { domain: string; release: () => void }[] = []
    const begun = new Map<string, number[]>()
    let busy = 0
    let late = 0
    for (let i = 0; i < 600; i++) {
      nowMs += random.chance(0.3) ? random.integer(200) : 0
      if (held.length > 0 && random.chance(0.5)) {
        const [one] = held.splice(random.integer(held.length), 1)
        one?.release()
        if (random.chance(0.2)) one?.release()
      }
      const domain = random.pick(['a', 'b', 'c'])
      const place = budget.take(domain)
      const open = held.filter((each) => each.domain === domain).length
      if (place === 'busy') {
        busy++
        t.ok(open >= LIMITS.maxOpen || held.length >= LIMITS.maxOpenOfAll, 'refused for a reason')
      } else if (place === 'rate') late++
      else {
        held.push({ domain, release: place })
        begun.set(domain, [...(begun.get(domain) ?? []), nowMs])
        t.ok(open < LIMITS.maxOpen && held.length <= LIMITS.maxOpenOfAll)
      }
      t.equal(budget.open, held.length)
    }
    for (const [domain, times] of begun)
      for (const [i, fromMs] of times.entries())
        for (const [j, toMs] of times.entries())
          if (j >= i && j - i + 1 > LIMITS.burst + ((toMs - fromMs) / 1000) * LIMITS.perSecond + 1e-9)
            t.fail(`${domain} began ${j - i + 1} in ${toMs - fromMs} ms`)
    t.ok(busy > 0 && late > 0, 'both bounds were met')
  })
}

t.test('who moved too much waits, and no longer than it takes', async (t) => {
  let nowMs = 0
  const budget = new DomainBudget(LIMITS, { monotonic: () => nowMs })
  t.equal(budget.move('a', 'received', 1000), 0)
  t.equal(budget.move('a', 'received', 50), 500)
  t.equal(budget.move('a', 'sent', 1000), 0, 'the other direction is another one')
  t.equal(budget.move('b', 'received', 1000), 0, 'and so is another domain')
  nowMs += 500
  t.equal(budget.move('a', 'received', 0), 0)
  t.equal(budget.move('a', 'received', 1), 10)
})

t.test('domains are forgotten, unless something of them is under way', async (t) => {
  const budget = new DomainBudget({ ...LIMITS, burst: 1, perSecond: 0.001 }, { monotonic: () => 0 })
  t.type(budget.take('kept'), 'function')
  const gone = budget.take('gone')
  if (typeof gone === 'function') gone()
  for (let i = 0; i < 20_000; i++) budget.move(`d${i}`, 'sent', 1)
  t.equal(budget.take('kept'), 'rate')
  t.type(budget.take('gone'), 'function')
})
