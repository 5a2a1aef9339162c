import t from 'tap'
import { formatEvent } from '../../../cli/dev/format-event.ts'
import { ToldLines } from '../../../cli/dev/told-lines.ts'
import { createStyle } from '../../../cli/output/style.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const style = createStyle({ write() {}, isTerminal: false, columns: undefined }, {})

t.test('what is about components is told, daily work is not, and a fault of all nodes once', async (t) => {
  const told = new ToldLines({ monotonic: () => 0 })
  t.equal(told.take({ event: 'site.switched' }), undefined)
  t.equal(told.take({}), undefined)
  t.match(told.take({ event: 'function.printed', text: 'x' }), { line: { text: 'x' }, lost: 0 })
  t.match(told.take({ event: 'function.printed', text: 'x' }), { line: { text: 'x' }, lost: 0 }, 'it may say it again')
  t.ok(told.take({ event: 'component.unfit', component: 'a' }))
  t.equal(told.take({ event: 'component.unfit', component: 'a' }), undefined)
  t.ok(told.take({ event: 'component.unfit', component: 'b' }))
})

for (const seed of seeds(20)) {
  t.test(`no more is told than is read, and all that is not is counted (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    let nowMs = 0
    const told = new ToldLines({ monotonic: () => nowMs })
    let said = 0
    let counted = 0
    let pending = 0
    for (let i = 0; i < 3000; i++) {
      nowMs += random.integer(20)
      const taken = told.take({ event: 'function.printed' })
      if (taken === undefined) pending++
      else {
        said++
        t.equal(taken.lost, pending)
        counted += taken.lost
        pending = 0
      }
    }
    t.equal(said + counted + pending, 3000)
    t.ok(said <= 200 + (nowMs / 1000) * 20 + 1, `${said} lines in ${nowMs} ms`)
    t.ok(said >= Math.min(3000, 200 + (nowMs / 1000) * 20 - 2), `${said} lines in ${nowMs} ms`)
  })
}

t.test('it is printed with the node, the domain and the component', async (t) => {
  const line = {
    event: 'function.failed',
    domain: 'example.com',
    function: 'a.wasm',
    why: 'memory',
    detail: '',
    trace: 'f',
  }
  const format = (lost: number) =>
    formatEvent({ event: 'logged', node: 'node2', line, lost }, { cwd: '/', program: 'maki', style })
  t.equal(format(0), 'node2 example.com a.wasm used more memory than it may (trace f)')
  t.match(format(7), /^\[7 lines are in the log of the nodes only\]\nnode2 /)
})
