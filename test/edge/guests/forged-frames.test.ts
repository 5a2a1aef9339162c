import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, Manifest, silentLog } from '../../../core/index.ts'
import { GuestPool } from '../../../edge/guests/guest-pool.ts'
import { GuestPrinter } from '../../../edge/guests/guest-printer.ts'
import { createSiteServices } from '../../../edge/guests/index.ts'
import { openOutgoing } from '../../../edge/outgoing/index.ts'
import { type ReadyGuest, readyGuest, request } from '../../support/guests/pooled-guests.ts'

/** What an escaped guest says in the name of its process: real processes whose code is the attacker's, with real services. */

t.setTimeout(0)
const MIB = 1024 * 1024
const runtime = systemRuntime
const log = silentLog
const pool = new GuestPool({ maxProcesses: 2, spares: 0, maxMemoryBytes: 64 * MIB }, { runtime, log })
const outgoing = openOutgoing({ runtime, log })
t.teardown(async () => {
  await pool.close()
  await outgoing[Symbol.asyncDispose]()
})

const behaves = await readyGuest('http-echo')
const FILE = Buffer.alloc(256 * 1024, 'x')
const manifest = Manifest.of([{ path: 'big.txt', hash: hashBlob(FILE), sizeBytes: FILE.length }])
const blobs = {
  async stream() {
    return (async function* () {
      yield FILE
    })() as never
  },
}

const PRELUDE = `import { readSync, writeSync } from 'node:fs'
const { wait } = Atomics
const never = new Int32Array(new SharedArrayBuffer(4))
const give = (bytes) => { for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(1, rest)) }
const frame = (header, body = Buffer.alloc(0)) => {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeUInt32BE(json.length, 0)
  prefix.writeUInt32BE(body.length, 4)
  return Buffer.concat([prefix, json, body])
}
const say = (header, body) => give(frame(header, body))
const take = (count) => {
  const bytes = Buffer.alloc(count)
  for (let at = 0; at < count; ) at += readSync(0, bytes, at, count - at)
  return bytes
}
const hear = () => {
  const prefix = take(8)
  const header = JSON.parse(take(prefix.readUInt32BE(0)).toString())
  take(prefix.readUInt32BE(4))
  return header
}
const ask = (header, body) => { say(header, body); return hear() }
`

/** Its process runs `code` where it should run a component. */
function forged(name: string, code: string): ReadyGuest {
  const answer = `return { status: 200, headers: heard.map((each) => ['x', JSON.stringify(each)]), body: undefined }`
  const glue = `${PRELUDE}export const instantiate = () => ({ handler: { handleRequest() { const heard = [];${code};${answer} } } })`
  const files = { glue: Buffer.from(glue), modules: new Map() }
  return { spec: { ...behaves.spec, key: name, name, timeoutMs: 2000 }, read: async () => files as never }
}

const printer = new GuestPrinter({ log, runtime })

async function run({ spec, read }: ReadyGuest) {
  const { domain, name } = spec
  const output = printer.open({ domain, name, trace: '' })
  const site = createSiteServices({ manifest, blobs, log, runtime, network: outgoing.session({ domain, name }) })
  const services: typeof site = {
    answer(ask, body) {
      if (ask.ask === 'print') output.write(ask.stream, body)
      return site.answer(ask, body)
    },
    close: () => site.close(),
  }
  return await pool.run(spec, read, { input: request(), siteTimeMs: 0, services, timeoutMs: spec.timeoutMs })
}

/** Longest time that the owner was at one thing, milliseconds of its own processor time; and how much it grew. */
async function watch<T>(act: () => Promise<T>): Promise<{ outcome: T; longestMs: number; grewBytes: number }> {
  let longestMs = 0
  let last = process.cpuUsage()
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(last)
    last = process.cpuUsage()
    longestMs = Math.max(longestMs, (user + system) / 1000)
    most = Math.max(most, process.memoryUsage.rss())
  }, 1)
  const outcome = await act()
  // What was done last is seen by the timer, too.
  await new Promise<void>((resolve) => systemRuntime.after(2, resolve))
  clearInterval(timer)
  return { outcome, longestMs, grewBytes: most - before }
}

/** It took from a hundred to more than a thousand before; what is left is far below. */
const MOST_MS = 150

t.test('asks of any shape are answered, and nothing of them ends their owner', async (t) => {
  const shapes = [
    '{"ask":"wait","for":[],"mostMs":{"toString":1,"valueOf":1}}',
    '{"ask":"wait","for":[null,1,{"id":{}}],"mostMs":{"toString":1}}',
    '{"ask":"wait","for":{"length":1e9},"mostMs":1}',
    '{"ask":"tcp-connect","address":["127.0.0.1"],"port":80}',
    '{"ask":"tcp-connect","address":{"toString":1},"port":80}',
    '{"ask":"tcp-connect","address":"8.8.8.8","port":{"valueOf":1}}',
    '{"ask":"resolve","name":["localhost"]}',
    '{"ask":"resolve","name":{"toString":1}}',
    '{"ask":"http-send","request":{"method":"GET","scheme":"http","authority":["127.0.0.1"],"path":"/","headers":{"length":1}}}',
    '{"ask":"http-read","id":{"toString":1},"length":{"valueOf":1}}',
    '{"ask":"tcp-shutdown","id":1,"how":{"toString":1}}',
    '{"ask":"stat","path":{"toString":1}}',
    '{"ask":"read","path":"big.txt","offset":-1,"length":1e300}',
    '{"ask":"read","path":"big.txt","offset":{"valueOf":1},"length":[1]}',
    '{"ask":"list","path":"","after":{"toString":1}}',
    '{"ask":"close","id":{"__proto__":{"toString":1}}}',
  ]
  const outcome = await run(forged('shapes', `for (const each of ${JSON.stringify(shapes)}) heard.push(ask(each))`))
  t.equal(outcome.kind, 'answered', JSON.stringify(outcome))
  if (outcome.kind === 'answered') t.equal(outcome.response.headers.length, shapes.length, 'each has its answer')
  t.match(await run(behaves), { kind: 'answered' })
  t.equal(outgoing.counters.connections, 0)
})

const EXPENSIVE: readonly (readonly [what: string, code: string])[] = [
  ['a path of a hundred thousand folders', `heard.push(ask({ ask: 'stat', path: 'a/'.repeat(200_000) }))`],
  [
    'an answer of a hundred thousand headers that are none',
    `say('{"response":{"status":200,"hasBody":false,"headers":[' + Array(120_000).fill('[]').join(',') + ']},"cpuMs":1}')`,
  ],
  [
    'an ask with fifty thousand members',
    `say({ ...Object.fromEntries(Array.from({ length: 45_000 }, (_, i) => [i.toString(36) + 'x', 1])), ask: 'print' })`,
  ],
  ['brackets within brackets', `say('['.repeat(250_000) + ']'.repeat(250_000))`],
  ['a print of thirty million empty lines', `say({ ask: 'print', stream: 'stdout' }, Buffer.alloc(32 << 20, 10))`],
  [
    'as many frames as there is room for',
    `const many = Buffer.concat(Array(20_000).fill(frame('1'))); for (;;) give(many)`,
  ],
]

for (const [what, code] of EXPENSIVE)
  t.test(`${what}: nobody waits for it`, async (t) => {
    const { longestMs, grewBytes } = await watch(() => run(forged(what, code)))
    t.ok(longestMs < MOST_MS, `${longestMs} ms at one thing`)
    t.ok(grewBytes < 256 * MIB, `${grewBytes} bytes more`)
    t.match(await run(behaves), { kind: 'answered' })
  })

t.test('answers that nobody reads are not kept', async (t) => {
  const code = `const one = frame({ ask: 'read', path: 'big.txt', offset: 0, length: ${FILE.length} }); for (;;) { give(one); wait(never, 0, 0, 1) }`
  const { outcome, grewBytes } = await watch(() => run(forged('deaf', code)))
  t.match(outcome, { kind: 'failed' })
  t.ok(grewBytes < 96 * MIB, `${grewBytes} bytes more`)
})
