import t from 'tap'
import { findOutcome } from '../../../edge/guests/read-said.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** What comes out of a process that a stranger may have got hold of. */

const read = (header: unknown, world: 'http' | 'transform' = 'http', body = Buffer.from('body')) =>
  findOutcome({ header, body }, world)

t.test('what the process of ours says is read as it is', async (t) => {
  t.same(read({ response: { status: 201, headers: [['a', 'b']], hasBody: true }, cpuMs: 1.5 }), {
    kind: 'answered',
    response: { status: 201, headers: [['a', 'b']], body: Uint8Array.from(Buffer.from('body')) },
    cpuMs: 1.5,
  })
  t.match(read({ response: { status: 999, headers: [], hasBody: false }, cpuMs: 0 }), {
    response: { status: 999, body: undefined },
  })
  t.match(read({ transformed: null, cpuMs: 0 }, 'transform'), { kind: 'transformed', result: undefined })
  t.match(read({ transformed: { mimeType: 'text/css', headers: [] }, cpuMs: 0 }, 'transform'), {
    result: { mimeType: 'text/css', content: Uint8Array.from(Buffer.from('body')) },
  })
  t.match(read({ failed: 'trap', detail: 'unreachable', cpuMs: 3 }), { kind: 'failed', why: 'trap' })
})

t.test('what no process of ours says is nothing', async (t) => {
  const good = { status: 200, headers: [['a', 'b']], hasBody: true }
  const bad: unknown[] = [
    null,
    undefined,
    'text',
    7,
    [],
    {},
    { response: good },
    { response: good, cpuMs: 'much' },
    { response: good, cpuMs: -1 },
    { response: good, cpuMs: 1e300 },
    { response: { ...good, status: 65_536 }, cpuMs: 0 },
    { response: { ...good, status: 200.5 }, cpuMs: 0 },
    { response: { ...good, headers: [['a']] }, cpuMs: 0 },
    { response: { ...good, headers: [['a', 7]] }, cpuMs: 0 },
    { response: { ...good, headers: [['a', 'b', 'c']] }, cpuMs: 0 },
    { response: { ...good, headers: { length: 2 } }, cpuMs: 0 },
    { response: { ...good, headers: Array.from({ length: 201 }, () => ['a', 'b']) }, cpuMs: 0 },
    { response: { ...good, headers: [['a', 'b'.repeat(65_537)]] }, cpuMs: 0 },
    { response: { ...good, more: 1 }, cpuMs: 0 },
    { response: good, cpuMs: 0, more: 1 },
    { response: good, transformed: null, cpuMs: 0 },
    { failed: 'timeout', detail: '', cpuMs: 0 },
    { failed: 'trap', detail: 'x'.repeat(2001), cpuMs: 0 },
    { rested: true },
    { bound: true },
    { confinement: 'kernel' },
    JSON.parse('{"__proto__":{"failed":"trap","detail":"","cpuMs":0}}'),
  ]
  for (const header of bad) t.equal(read(header), undefined, JSON.stringify(header)?.slice(0, 80))
  t.equal(read({ transformed: null, cpuMs: 0 }, 'http'), undefined, 'an answer of the other world')
  t.equal(read({ response: good, cpuMs: 0 }, 'transform'), undefined, 'an answer of the other world')
})

for (const seed of seeds(200)) {
  t.test(`whatever is said, reading it is all that happens (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const any = (depth: number): unknown => {
      const pick = random.integer(depth > 4 ? 5 : 8)
      if (pick === 0) return null
      if (pick === 1) return random.integer(70_000) - 1000
      if (pick === 2) return 'x'.repeat(random.integer(100))
      if (pick === 3) return random.chance(0.5)
      if (pick === 4) return ['a', 'b']
      if (pick === 5) return Array.from({ length: random.integer(4) }, () => any(depth + 1))
      const names = [
        'response',
        'transformed',
        'failed',
        'detail',
        'cpuMs',
        'status',
        'headers',
        'hasBody',
        '__proto__',
      ]
      const entries = names.filter(() => random.chance(0.4)).map((name) => [name, any(depth + 1)])
      return JSON.parse(JSON.stringify(Object.fromEntries(entries)))
    }
    const outcome = read(any(0))
    t.ok(outcome === undefined || ['answered', 'failed'].includes(outcome.kind))
  })
}
