import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { LogRelay } from '../../../cli/node/log-relay.ts'
import { LogTail } from '../../../cli/node/log-tail.ts'
import type { KeptLine } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const bornWith = (byte: number) => ({
  now: () => 0,
  randomBytes: (length: number) => new Uint8Array(length).fill(byte),
})
const lineOf = (data: Record<string, unknown>): string =>
  `${JSON.stringify({ time: '2026-01-01T00:00:00.000Z', level: 'info', ...data })}\n`
const numbers = (lines: readonly KeptLine[]) => lines.map(({ line }) => line.number as number)

for (const seed of seeds(30)) {
  t.test(`the last lines are kept within their bytes, in order, and none twice or never (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const maxBytes = 2_000 + random.integer(20_000)
    const tail = new LogTail(bornWith(1), maxBytes)
    const texts: string[] = []
    const followed: number[] = []
    const end = tail.follow({}, ({ line }) => followed.push(line.number as number))
    let cursor: string | undefined
    const read: number[] = []
    const lost: number[] = []
    for (let number = 0; number < 300; number++) {
      const text = lineOf({ event: 'x', number, text: 'é'.repeat(random.integer(400)) })
      texts.push(text)
      tail.add(text)
      if (!random.chance(0.1)) continue
      const page = tail.read({ after: cursor })
      const from = read.at(-1) ?? -1
      for (let missing = from + 1; missing < (numbers(page)[0] ?? number + 1); missing++) lost.push(missing)
      read.push(...numbers(page))
      cursor = page.at(-1)?.cursor ?? cursor
    }
    end()
    const kept = tail.read({})
    const first = numbers(kept)[0] as number
    const bytesFrom = (at: number): number => texts.slice(at).reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    t.ok(bytesFrom(first) <= maxBytes && bytesFrom(first - 1) > maxBytes, 'as many as fit')
    t.strictSame(numbers(kept), [...texts.keys()].slice(first))
    t.strictSame(followed, [...texts.keys()], 'who follows gets all')
    t.strictSame(
      [...read, ...lost].sort((a, b) => a - b),
      [...texts.keys()].slice(0, (read.at(-1) ?? -1) + 1),
    )
    t.strictSame(new LogTail(bornWith(2)).read({ after: cursor }), [])
  })
}

t.test('a cursor of another life gets all, and what is no cursor too', async (t) => {
  const before = new LogTail(bornWith(1))
  const after = new LogTail(bornWith(2))
  for (const number of [0, 1, 2]) for (const tail of [before, after]) tail.add(lineOf({ number }))
  const cursor = before.read({}).at(-1)?.cursor
  t.strictSame(numbers(before.read({ after: cursor })), [])
  t.strictSame(numbers(after.read({ after: cursor })), [0, 1, 2])
  for (const odd of ['', 'x', '-1', `${cursor}x`]) t.strictSame(numbers(before.read({ after: odd })), [0, 1, 2], odd)
})

t.test('what is no line of a log is left out, and a line without time gets one', async (t) => {
  const tail = new LogTail(bornWith(1))
  for (const text of ['', 'hello\n', '[1]\n', 'null\n', lineOf({ text: 'x'.repeat(40_000) })]) tail.add(text)
  t.strictSame(tail.read({}), [])
  tail.add('{"event":"x"}')
  t.match(tail.read({})[0]?.line, { time: '1970-01-01T00:00:00.000Z', event: 'x' })
})

t.test('lines are chosen by domain, and by the component or a path that leads to it', async (t) => {
  const tail = new LogTail(bornWith(1))
  const components = ['api/hello.wasm', 'api/index.wasm', 'users/[id].wasm', 'files/[...rest].wasm', 'banner.wasm']
  for (const [number, component] of components.entries())
    tail.add(lineOf({ event: 'function.printed', domain: 'example.com', function: component, number }))
  tail.add(lineOf({ event: 'transforms.failed', domain: 'example.org', transform: 'banner.wasm', number: 5 }))
  tail.add(lineOf({ event: 'guest.refused', domain: 'example.org', name: 'api/hello.wasm', number: 6 }))
  tail.add(lineOf({ event: 'node.ready', number: 7 }))
  const cases: [string, number[]][] = [
    ['/api/hello', [0, 6]],
    ['/api/hello/', [0, 6]],
    ['api/hello.wasm', [0, 6]],
    ['/api', [1]],
    ['/users/17', [2]],
    ['users/[id].wasm', [2]],
    ['/users', []],
    ['/files/a/b', [3]],
    ['banner.wasm', [4, 5]],
    ['/none', []],
  ]
  for (const [typed, expected] of cases) t.strictSame(numbers(tail.read({ function: typed })), expected, typed)
  t.strictSame(numbers(tail.read({ domain: 'example.org' })), [5, 6])
  t.strictSame(numbers(tail.read({ domain: 'example.org', function: '/api/hello' })), [6])
  const followed: number[] = []
  const end = tail.follow({ function: '/api' }, ({ line }) => followed.push(line.number as number))
  tail.add(lineOf({ function: 'api/hello.wasm', number: 8 }))
  tail.add(lineOf({ function: 'api/index.wasm', number: 9 }))
  end()
  tail.add(lineOf({ function: 'api/index.wasm', number: 10 }))
  t.strictSame(followed, [9])
})

for (const seed of seeds(30)) {
  t.test(
    `lines reach another process in order; those that do not are counted in their place (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const told: { number?: number; lines?: number }[] = []
      let release = (): void => {}
      let underWay = 0
      const relay = new LogRelay(async (lines) => {
        t.equal(++underWay, 1, 'one message at a time')
        t.ok(lines.length > 0)
        await new Promise<void>((resolve) => {
          release = resolve
        })
        told.push(...lines.map((line) => JSON.parse(line)))
        underWay--
      })
      const total = 200
      for (let number = 0; number < total; number++) {
        relay.tell(JSON.stringify({ number, text: 'x'.repeat(random.integer(8_000)) }))
        if (!random.chance(seed % 3 === 0 ? 0.5 : 0.05)) continue
        release()
        await setImmediate()
      }
      for (let i = 0; i < 50 && underWay > 0; i++) {
        release()
        await setImmediate()
      }
      relay.tell(JSON.stringify({ number: total }))
      release()
      await setImmediate()
      let next = 0
      for (const { number, lines } of told) {
        if (number === undefined) next += lines ?? 0
        else t.equal(number, next++)
      }
      t.equal(next, total + 1, 'none is missing without a word')
    },
  )
}
