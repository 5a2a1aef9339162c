import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, silentLog } from '../../../core/index.ts'
import { BuilderProcess, type Built } from '../../../edge/component-builder/builder-process.ts'
import { ComponentBuilder, type ComponentBuilderOptions } from '../../../edge/component-builder/index.ts'
import { inspectComponent } from '../../../edge/components/index.ts'
import { eventually } from '../../support/eventually.ts'
import { buildInjection, buildWatGuest, EVIL_NAMES, type Injection } from '../../support/guests/build-wat.ts'

/** What becomes of components in the process that makes them ready, and what its owner believes of it. */

const MIB = 1024 * 1024
const LIMITS = { maxComponentBytes: 8 * MIB, maxOutputBytes: 32 * MIB, timeoutMs: 30_000, maxMemoryBytes: 1024 * MIB }
const PORTS = { runtime: systemRuntime, log: silentLog }
const MISBEHAVING = join(import.meta.dirname, 'misbehaving-main.ts')

const ANY = hashBlob(Buffer.from('any'))

const startBuilder = (options: Partial<ComponentBuilderOptions> = {}) =>
  new ComponentBuilder({ limits: LIMITS, processes: 2, ...options }, PORTS)

const buildBytes = (builder: ComponentBuilder, bytes: Uint8Array): Promise<Built> =>
  builder.build({ component: hashBlob(bytes), sizeBytes: bytes.length, read: async () => bytes })

t.test('a component becomes glue and core modules, the same ones every time', async (t) => {
  await using builder = startBuilder()
  const component = await buildWatGuest('http-echo')
  const [first, second] = await Promise.all([buildBytes(builder, component), buildBytes(builder, component)])
  if (first?.kind !== 'ready' || second?.kind !== 'ready') throw new Error(JSON.stringify([first, second]))
  t.strictSame(first, second)
  t.strictSame(inspectComponent(component), { kind: 'fit', report: first.report })
  t.strictSame([...first.files.modules.keys()], ['glue.core.wasm'])
  for (const bytes of first.files.modules.values()) t.ok(WebAssembly.validate(new Uint8Array(bytes)))
  t.match(first.files.glue.toString(), /^"use components";\nexport function instantiate\(/)
  t.notMatch(first.files.glue.toString(), /\bfrom '|\bimport\(/, 'it imports nothing')
  t.equal(builder.counts.started, 2)
  t.strictSame(builder.pids, [], 'each has its own process, which is gone')
})

t.test('the world is told', async (t) => {
  await using builder = startBuilder()
  const built = await buildBytes(builder, await buildWatGuest('transform-append'))
  t.match(built, { kind: 'ready', report: { world: 'transform' } })
})

t.test('what is no fit component is refused, and the generator never sees it', async (t) => {
  await using builder = startBuilder()
  const refusals = (Object.keys(EVIL_NAMES) as Injection[]).map(async (where) =>
    t.match(
      await buildBytes(builder, await buildInjection(where)),
      { kind: 'unfit', fault: { code: 'unsafe-name' } },
      where,
    ),
  )
  await Promise.all(refusals)
  t.match(await buildBytes(builder, Buffer.from('<html>')), { kind: 'unfit', fault: { code: 'not-wasm' } })
  const whole = await buildWatGuest('http-echo')
  t.match(await buildBytes(builder, whole.subarray(0, whole.length / 2)), { kind: 'unfit' })
  t.notOk('PWNED' in globalThis)
})

t.test('code that traps or spins as soon as it starts is made ready: nothing of it is run', async (t) => {
  await using builder = startBuilder()
  const guests = await Promise.all([buildWatGuest('http-trap-on-start'), buildWatGuest('http-spin-on-start')])
  for (const built of await Promise.all(guests.map((guest) => buildBytes(builder, guest))))
    t.match(built, { kind: 'ready' })
})

t.test('a component that is too large is never read', async (t) => {
  await using builder = startBuilder()
  const read = () => Promise.reject(new Error('it was read'))
  const built = await builder.build({ component: ANY, sizeBytes: LIMITS.maxComponentBytes + 1, read })
  t.match(built, { kind: 'unfit', fault: { code: 'too-large', message: /8 MiB/ } })
  t.equal(builder.counts.started, 0)
})

t.test('its process has nothing, under a filter of the kernel', { skip: process.platform !== 'linux' }, async (t) => {
  let told: (() => void) | undefined
  const started = new Promise<void>((resolve) => {
    told = resolve
  })
  const log = { ...silentLog, debug: () => told?.() }
  const builder = new BuilderProcess(LIMITS, { ...PORTS, log })
  t.teardown(() => builder.close())
  await started
  const status = readFileSync(`/proc/${builder.pid}/status`, 'utf8')
  t.match(status, /^Seccomp:\s+2$/m)
  t.match(status, /^NoNewPrivs:\s+1$/m)
  t.equal(readFileSync(`/proc/${builder.pid}/environ`, 'latin1'), '')
  t.match(await builder.build(await buildWatGuest('http-echo')), { kind: 'ready' })
})

t.test('whatever a process does, there is an end of it and a reason', async (t) => {
  await using builder = startBuilder({ main: MISBEHAVING, limits: { ...LIMITS, maxMemoryBytes: 300 * MIB } })
  const expected = {
    die: 'died',
    'no-frame': 'nonsense',
    endless: 'nonsense',
    'other-header': 'nonsense',
    path: 'nonsense',
    twice: 'nonsense',
    'no-glue': 'nonsense',
    'too-much': 'nonsense',
    'too-little': 'nonsense',
    'other-world': 'nonsense',
    eat: 'memory',
  }
  const ends = Object.entries(expected).map(async ([how, why]) =>
    t.strictSame(await buildBytes(builder, Buffer.from(how)), { kind: 'ended', why }, how),
  )
  await Promise.all(ends)
  t.equal(builder.counts.started, ends.length + 1, 'who dies gets a second chance, the others none')
  t.strictSame(builder.pids, [])
  await using hasty = startBuilder({ main: MISBEHAVING, limits: { ...LIMITS, timeoutMs: 100 } })
  t.strictSame(await buildBytes(hasty, Buffer.from('spin')), { kind: 'ended', why: 'timeout' })
})

t.test('who is killed by somebody else is begun again', async (t) => {
  await using builder = startBuilder()
  const building = buildBytes(builder, await buildWatGuest('http-echo'))
  const pid = await eventually('a builder', () => builder.pids[0])
  process.kill(pid, 'SIGKILL')
  t.match(await building, { kind: 'ready' })
  t.equal(builder.counts.started, 2)
})

t.test('what cannot be read is told to who asked, and the next is served', async (t) => {
  await using builder = startBuilder({ processes: 1 })
  const failing = builder.build({ component: ANY, sizeBytes: 1, read: () => Promise.reject(new Error('a bad disk')) })
  const next = buildBytes(builder, await buildWatGuest('http-echo'))
  await t.rejects(failing, { message: 'a bad disk' })
  t.match(await next, { kind: 'ready' })
})

t.test('who is waited for comes before who only may be', async (t) => {
  await using builder = startBuilder({ main: MISBEHAVING, processes: 1 })
  const order: string[] = []
  const jobs = ['1', '2', '3', '4'].map((name) => ({ component: hashBlob(Buffer.from(name)), name }))
  const building = jobs.map(({ component, name }) =>
    builder.build({
      component,
      sizeBytes: 1,
      read: async () => {
        order.push(name)
        return Buffer.from('no-frame')
      },
    }),
  )
  builder.hurry(jobs[3]!.component)
  builder.hurry(jobs[0]!.component)
  builder.hurry(ANY)
  await Promise.all(building)
  t.strictSame(order, ['1', '4', '2', '3'])
})

t.test('closing ends what is under way and what waits', async (t) => {
  const builder = startBuilder({ main: MISBEHAVING, processes: 1 })
  const building = [1, 2].map(() => buildBytes(builder, Buffer.from('spin')))
  const pid = await eventually('a builder', () => builder.pids[0])
  await builder[Symbol.asyncDispose]()
  for (const built of await Promise.all(building)) t.strictSame(built, { kind: 'ended', why: 'closed' })
  t.throws(() => process.kill(pid, 0))
  t.strictSame(await buildBytes(builder, Buffer.from('')), { kind: 'ended', why: 'closed' })
})
