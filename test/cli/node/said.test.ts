import fc from 'fast-check'
import t from 'tap'
import { settleLoad } from '../../../cli/node/host-load.ts'
import { NOTHING_SAID, readSaid, readServes } from '../../../cli/node/said.ts'

t.test('what a node says is read leniently: what is not understood is as if it were not said', async (t) => {
  t.strictSame(readSaid(undefined), NOTHING_SAID)
  t.strictSame(readSaid('x'), NOTHING_SAID)
  t.strictSame(readSaid({ version: 3, heads: ['x'], host: { memory: 2, disk: 0, load: 0 }, more: 1 }), NOTHING_SAID)
  const host = { memory: 0.5, disk: 1, load: 12 }
  t.strictSame(readSaid({ host, version: '2' }), { ...NOTHING_SAID, host, version: '2' })
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, 1e308, -1])
    t.strictSame(readSaid({ host: { ...host, load: odd } }), NOTHING_SAID, `a load of ${odd}`)
  for (const odd of ['\u001b[2J', 'a b', '\u202e1', '\u009b1m', '', 'x'.repeat(65)])
    t.strictSame(readSaid({ version: odd, digest: odd }), NOTHING_SAID, JSON.stringify(odd))
  const trouble = { refused: 2000, workersDied: 1, certificates: 0, components: ['a.test api.wasm: broken'] }
  t.strictSame(readSaid({ trouble }), { ...NOTHING_SAID, trouble })
  for (const odd of [-1, 0.5, 1e300, '1', null])
    t.strictSame(readSaid({ trouble: { ...trouble, refused: odd } }), NOTHING_SAID, `${odd} refused`)
  t.equal(readServes({}), undefined)
  t.equal(readServes(null), undefined)
  t.same(readServes({ serves: { dns: 53, http: 'x', https: 70_000 } }), { dns: 53, http: undefined, https: undefined })
})

t.test('whatever stands there, it is read', async (t) => {
  fc.assert(
    fc.property(fc.anything(), (anything) => {
      readSaid({ heads: anything, active: anything, host: anything, unservable: anything })
      readServes({ serves: anything })
      readServes(anything)
      return true
    }),
  )
  t.pass('nothing threw')
})

t.test('what is said of a computer goes in steps, and does not tremble', async (t) => {
  const said = settleLoad(null, { memory: 0.512, disk: 0.49, load: 1.03 })
  t.strictSame(said, { memory: 0.5, disk: 0.5, load: 1.05 })
  t.equal(settleLoad(said, { memory: 0.549, disk: 0.451, load: 1.01 }), said, 'less than a step away')
  t.strictSame(settleLoad(said, { memory: 0.57, disk: 0.5, load: 1.05 }), { memory: 0.55, disk: 0.5, load: 1.05 })
})
