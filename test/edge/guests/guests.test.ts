import { appendFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type FunctionValue, type Hostname, hashBlob, type Log, Manifest } from '../../../core/index.ts'
import { buildMeta, encodeMeta, GLUE_FILE, META_FILE } from '../../../edge/component-builder/index.ts'
import { Guests, type GuestsPorts, type PreparedComponent } from '../../../edge/index.ts'
import { buildWatGuest, type GuestName } from '../../support/guests/build-wat.ts'
import { CONTEXT, prepareFiles, request } from '../../support/guests/pooled-guests.ts'
import { MemoryBlobs, releaseId } from '../fixtures.ts'

/** What guests are run with, and what of it outlives the control process. */

const MIB = 1024 * 1024
const DOMAIN = 'a.test' as Hostname
const folder = await mkdtemp(join(tmpdir(), 'makiatto-guests-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

/** As control leaves a component on the disk. */
async function store(name: GuestName, at = name as string): Promise<PreparedComponent> {
  const bytes = await buildWatGuest(name)
  const files = await prepareFiles(bytes)
  const component = hashBlob(bytes)
  const own = join(folder, at)
  await mkdir(own, { recursive: true })
  const report = {
    world: 'http' as const,
    sizeBytes: 0,
    imports: [],
    otherExports: [],
    coreModules: 1,
    coreInstances: 1,
    initialMemoryBytes: 0,
    largestMemoryBytes: 0,
  }
  await writeFile(join(own, META_FILE), encodeMeta(buildMeta(component, report, files)))
  for (const [file, content] of [[GLUE_FILE, files.glue] as const, ...files.modules])
    await writeFile(join(own, file), content)
  return { component, world: 'http', folder: own, modules: [...files.modules.keys()] }
}

function openGuests(ports: Partial<GuestsPorts>, maxTimeoutMs = 20_000) {
  const told: [string, Record<string, unknown>][] = []
  const note = (event: string, data: Record<string, unknown> = {}) => void told.push([event, data])
  const log: Log = { debug() {}, info: note, warn: note, error: note }
  const limits = { defaultTimeoutMs: 10_000, maxTimeoutMs, defaultMemoryBytes: 64 * MIB, maxMemoryBytes: 128 * MIB }
  const guests = new Guests(
    { limits, pool: { maxProcesses: 3, spares: 0 } },
    {
      blobs: new MemoryBlobs(),
      prepare: async () => undefined,
      openEnvironment: async () => undefined,
      context: () => CONTEXT,
      runtime: systemRuntime,
      log,
      ...ports,
    },
  )
  t.teardown(() => guests.close())
  const call = async (component: FunctionValue, path = '/') => {
    const asked = { domain: DOMAIN, release: releaseId('b'), manifest: Manifest.of([]), trace: 'trace' }
    const input = request(path)
    if (input.world !== 'http') throw new Error('no')
    return await guests.run({ ...asked, component, input: { world: 'http', request: input.request } })
  }
  return { guests, told, call }
}

const sealed = (value: string) =>
  ({ epoch: 'e', box: Buffer.from(value) }) as unknown as NonNullable<FunctionValue['env']>[string]

t.test('what a guest needs is asked once, and it runs on when control is gone', async (t) => {
  const prepared = await store('http-echo')
  let isThere = true
  const asked: string[] = []
  const { guests, call } = openGuests({
    async prepare() {
      asked.push('component')
      return isThere ? { prepared } : undefined
    },
    async openEnvironment(_domain, path, env) {
      asked.push(`${path} ${Object.keys(env).join()}`)
      return isThere ? { TOKEN: 'clear' } : undefined
    },
  })
  const component = { path: 'api/a.wasm', component: prepared.component, env: { TOKEN: sealed('1') } }
  const foreseen = { path: 'api/b.wasm', component: prepared.component, env: { TOKEN: sealed('1') } }
  for (let i = 0; i < 3; i++) t.match(await call(component), { kind: 'answered' })
  t.strictSame(asked.sort(), ['api/a.wasm TOKEN', 'component'])
  await guests.foresee(DOMAIN, [component, foreseen])
  t.equal(asked.length, 4, 'only what is new')
  isThere = false
  t.match(await call(component), { kind: 'answered' })
  t.match(await call(foreseen), { kind: 'answered' }, 'although it was never called before')
  const changed = { ...component, env: { TOKEN: sealed('2') } }
  t.match(await call(changed), { kind: 'failed', why: 'busy' }, 'another value is another environment')
  isThere = true
  t.match(await call(changed), { kind: 'answered' }, 'and what could not be had is asked for again')
})

t.test('a component that is unfit says why in the log, and in no answer of ours', async (t) => {
  const fault = { code: 'wrong-world' as const, message: 'It is of another world.', hint: 'Build it anew.' }
  const { call, told } = openGuests({ prepare: async () => ({ fault }) })
  const component = { path: 'api/a.wasm', component: hashBlob(Buffer.from('x')) }
  t.match(await call(component), { kind: 'failed', why: 'unfit', cpuMs: 0 })
  t.same(told, [
    [
      'function.failed',
      { domain: DOMAIN, function: 'api/a.wasm', trace: 'trace', why: 'unfit', detail: 'It is of another world.' },
    ],
  ])
})

t.test('no release gives a guest more time than the node has for one', async (t) => {
  const prepared = await store('http-spin')
  const { call, guests } = openGuests({ prepare: async () => ({ prepared }) }, 300)
  const outcome = await call({ path: 'api/s.wasm', component: prepared.component, timeoutMs: 60_000 })
  t.match(outcome, { kind: 'failed', why: 'timeout' })
  t.ok(outcome.cpuMs >= 250, `${outcome.cpuMs} ms are counted`)
  t.same(guests.counts.lost, { timeout: 1 })
})

t.test('code that the disk has damaged is made ready again, and never run', async (t) => {
  const [damaged, mended] = [await store('http-echo', 'damaged'), await store('http-echo', 'mended')]
  appendFileSync(join(damaged.folder, GLUE_FILE), '// more')
  let asked = 0
  const { call } = openGuests({ prepare: async () => ({ prepared: asked++ === 0 ? damaged : mended }) })
  t.match(await call({ path: 'api/a.wasm', component: damaged.component }), { kind: 'answered' })
  t.equal(asked, 2)
  const never = openGuests({ prepare: async () => ({ prepared: damaged }) })
  t.match(await never.call({ path: 'api/a.wasm', component: damaged.component }), { kind: 'failed', why: 'busy' })
})
