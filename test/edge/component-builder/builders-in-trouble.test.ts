import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, silentLog } from '../../../core/index.ts'
import type { Built } from '../../../edge/component-builder/builder-process.ts'
import { ComponentBuilder, type ComponentBuilderOptions } from '../../../edge/component-builder/index.ts'
import { eventually } from '../../support/eventually.ts'
import { buildWatGuest } from '../../support/guests/build-wat.ts'

/** Processes that misbehave, are killed, wait or are closed: what their owner makes of it. */

const MIB = 1024 * 1024
const LIMITS = { maxComponentBytes: 8 * MIB, maxOutputBytes: 32 * MIB, timeoutMs: 30_000, maxMemoryBytes: 1024 * MIB }
const PORTS = { runtime: systemRuntime, log: silentLog }
const MISBEHAVING = join(import.meta.dirname, 'misbehaving-main.ts')

const ANY = hashBlob(Buffer.from('any'))

const startBuilder = (options: Partial<ComponentBuilderOptions> = {}) =>
  new ComponentBuilder({ limits: LIMITS, processes: 2, ...options }, PORTS)

const buildBytes = (builder: ComponentBuilder, bytes: Uint8Array): Promise<Built> =>
  builder.build({ component: hashBlob(bytes), sizeBytes: bytes.length, read: async () => bytes })

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
