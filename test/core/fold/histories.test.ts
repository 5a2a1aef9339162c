import t from 'tap'
import { Histories } from '../../../core/fold/histories.ts'
import { keys } from '../../../core/index.ts'
import { domains } from '../../support/histories.ts'

t.test('one more fork of a key costs what its search costs, not a sort of all forks', async (t) => {
  let compared = 0
  const histories = new Histories({
    isAncestor: () => false,
    counts: () => true,
    compare: (a, b) => {
      compared++
      return ((a * 7919) % 4099) - ((b * 7919) % 4099)
    },
  })
  const key = keys.domain(domains[0] as (typeof domains)[number])
  const count = 4000
  for (let operation = 0; operation < count; operation++) {
    histories.record(operation, {
      keys: new Map([[key, { value: operation, via: undefined }]]),
      removedScopes: new Set(),
    })
    t.equal(histories.frontier(key).length, operation + 1)
  }
  const order = histories.frontier(key).map((touch) => (histories.by(touch) * 7919) % 4099)
  t.same(
    order,
    order.toSorted((a, b) => b - a),
    'greatest first',
  )
  t.ok(compared < count * 14, `${compared} comparisons`)
})

t.test('forks of a key beside as many removals of its scope are looked at pair by pair, no more', async (t) => {
  let asked = 0
  const histories = new Histories({
    isAncestor: () => {
      asked++
      return false
    },
    counts: () => true,
    compare: (a, b) => a - b,
  })
  const domain = keys.domain(domains[0] as (typeof domains)[number])
  const key = keys.alias(domains[0] as (typeof domains)[number], domains[1] as (typeof domains)[number])
  const value = { value: 1, via: undefined }
  histories.record(0, { keys: new Map([[key, value]]), removedScopes: new Set() })
  for (let operation = 1; operation < 200; operation++)
    histories.record(operation, { keys: new Map(), removedScopes: new Set([domain]) })
  asked = 0
  t.equal(histories.frontier(key).length, 200)
  t.ok(asked <= 2 * 199, `${asked} questions`)
})

t.test('what one of many removals has seen is not compared with the others', async (t) => {
  let asked = 0
  const histories = new Histories({
    isAncestor: (a, b) => {
      asked++
      return a === 0 && b > 0
    },
    counts: () => true,
    compare: (a, b) => a - b,
  })
  const domain = keys.domain(domains[0] as (typeof domains)[number])
  const key = keys.alias(domains[0] as (typeof domains)[number], domains[1] as (typeof domains)[number])
  histories.record(0, { keys: new Map([[key, { value: 1, via: undefined }]]), removedScopes: new Set() })
  for (let operation = 1; operation < 200; operation++)
    histories.record(operation, { keys: new Map(), removedScopes: new Set([domain]) })
  asked = 0
  t.equal(histories.frontier(key).length, 199)
  t.equal(asked, 1)
})
