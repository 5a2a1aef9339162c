import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { loadGenerator } from '../../../edge/component-builder/generator.ts'
import { GuestPool } from '../../../edge/guests/guest-pool.ts'
import { buildWatGuest, type GuestName } from '../../support/guests/build-wat.ts'
import { denyAll, file, type ReadyGuest, readyGuest, request } from '../../support/guests/pooled-guests.ts'

/** Attackers beside a guest that behaves: real processes, real components. */

t.setTimeout(0)
const MIB = 1024 * 1024
const pool = new GuestPool(
  { maxProcesses: 4, spares: 1, maxMemoryBytes: 128 * MIB },
  { runtime: systemRuntime, log: silentLog },
)
t.teardown(() => pool.close())

const run = (guest: ReadyGuest, input = request()) =>
  pool.run(guest.spec, guest.read, { input, siteTimeMs: 0, services: denyAll(), timeoutMs: guest.spec.timeoutMs })

const echo = await readyGuest('http-echo')

/** Made ready although nobody who looks at components would let it be. */
async function unseenGuest(name: GuestName): Promise<ReadyGuest> {
  const generate = await loadGenerator()
  const all = new Map(generate(await buildWatGuest(name)).files.map(([file, bytes]) => [file, Buffer.from(bytes)]))
  const glue = all.get('glue.js')!
  all.delete('glue.js')
  const domain = 'evil.test' as Hostname
  return { spec: { ...echo.spec, key: name, name, domain }, read: async () => ({ glue, modules: all }) }
}

t.test('what is refused before it runs would end too, and alone', async (t) => {
  for (const name of ['http-gc-bomb', 'http-gc-huge'] as const) {
    const attack = run(await unseenGuest(name))
    t.match(await run(echo), { kind: 'answered' }, `beside ${name}`)
    t.match(await attack, { kind: 'failed', why: 'memory' }, name)
    t.match(await run(echo), { kind: 'answered' }, `after ${name}`)
  }
})

const ATTACKS: readonly (readonly [name: GuestName, why: readonly string[], limits?: { timeoutMs: number }])[] = [
  ['http-spin', ['timeout'], { timeoutMs: 300 }],
  ['http-spin-on-start', ['timeout'], { timeoutMs: 300 }],
  ['http-recurse', ['trap']],
  ['http-grow-or-trap', ['trap']],
  ['http-trap', ['trap']],
  ['http-trap-on-start', ['trap']],
  ['http-amplify-headers', ['too-large', 'memory', 'died']],
  // It says four gigabytes, and a copy ends where its memory does.
  ['http-amplify-body', ['answered']],
  // It gets no more of a table than it may, and says so.
  ['http-table-bomb', ['answered']],
  ['transform-trap', ['trap']],
  ['transform-amplify-headers', ['too-large', 'memory', 'died']],
]

t.test('attackers end, and who behaves is answered beside each of them', async (t) => {
  t.match(await run(echo), { kind: 'answered' })
  for (const [name, reasons, limits = { timeoutMs: 10_000 }] of ATTACKS) {
    const attacker = await readyGuest(name, { ...limits, domain: 'evil.test' as Hostname, maxMemoryBytes: 32 * MIB })
    const attack = run(attacker, name.startsWith('transform') ? file('x') : request())
    let beside = 0
    let over = false
    void attack.then(() => {
      over = true
    })
    while (!over) {
      const outcome = await run(echo)
      if (outcome.kind !== 'answered') t.fail(`${name}: who behaves got ${JSON.stringify(outcome)}`)
      beside++
    }
    const outcome = await attack
    const [why, detail] = outcome.kind === 'failed' ? [outcome.why, outcome.detail] : [outcome.kind, '']
    t.ok(reasons.includes(why), `${name}: ${why}, ${detail}`)
    t.ok(beside > 0)
    t.match(await run(echo), { kind: 'answered' }, `after ${name}`)
  }
})
