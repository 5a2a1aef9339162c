import { readFileSync } from 'node:fs'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, silentLog } from '../../../core/index.ts'
import { BuilderProcess, type Built } from '../../../edge/component-builder/builder-process.ts'
import { ComponentBuilder, type ComponentBuilderOptions } from '../../../edge/component-builder/index.ts'
import { inspectComponent } from '../../../edge/components/index.ts'
import { buildJsGuest } from '../../support/guests/build-js.ts'
import { buildInjection, buildWatGuest, EVIL_NAMES, type Injection } from '../../support/guests/build-wat.ts'

/** What becomes of components in the process that makes them ready. */

const MIB = 1024 * 1024
const LIMITS = { maxComponentBytes: 8 * MIB, maxOutputBytes: 32 * MIB, timeoutMs: 30_000, maxMemoryBytes: 1024 * MIB }
const PORTS = { runtime: systemRuntime, log: silentLog }

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

t.test('so does one with an engine of JavaScript in it', async (t) => {
  await using builder = startBuilder()
  const component = await buildJsGuest('http-hello')
  const built = await buildBytes(builder, component)
  if (built.kind !== 'ready') throw new Error(JSON.stringify(built))
  t.ok(component.length > MIB && built.files.modules.size > 5)
  t.ok(built.report.imports.some((name) => name.startsWith('wasi:')))
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
