import { Readable } from 'node:stream'
import t from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { type Hostname, hashBlob, Manifest, silentLog } from '../../../../core/index.ts'
import { ComponentBuilder } from '../../../../edge/component-builder/component-builder.ts'
import { GuestProcess } from '../../../../edge/guests/guest-process.ts'
import { createSiteServices, type GuestSpec } from '../../../../edge/guests/index.ts'
import { buildEverything } from './guests/build.ts'

t.setTimeout(0)
const MIB = 1024 * 1024
const FILES = { 'a.txt': 'hello', 'sub/b': 'B', _headers: 'secret', 'big.bin': 'x'.repeat(700_000) }

t.test('what a guest meets in its own process, with files of a release behind it', async (t) => {
  const component = await buildEverything()
  const hash = hashBlob(component)
  const limits = {
    maxComponentBytes: 32 * MIB,
    maxOutputBytes: 96 * MIB,
    timeoutMs: 120_000,
    maxMemoryBytes: 1024 * MIB,
  }
  await using builder = new ComponentBuilder({ limits, processes: 1 }, { runtime: systemRuntime, log: silentLog })
  const built = await builder.build({ component: hash, sizeBytes: component.length, read: async () => component })
  if (built.kind !== 'ready') throw new Error(JSON.stringify(built))
  const spec: GuestSpec = {
    key: 'everything',
    domain: 'a.test' as Hostname,
    name: 'everything.wasm',
    prepared: { component: hash, world: 'http', folder: '', modules: [] },
    env: { GREETING: 'hello' },
    timeoutMs: 60_000,
    maxMemoryBytes: 64 * MIB,
  }
  const contents = new Map(Object.entries(FILES).map(([path, text]) => [path, Buffer.from(text)]))
  const manifest = Manifest.of(
    [...contents].map(([path, bytes]) => ({ path, hash: hashBlob(bytes), sizeBytes: bytes.length })),
  )
  const blobs = new Map([...contents.values()].map((bytes) => [hashBlob(bytes), bytes]))
  const process = new GuestProcess(spec.maxMemoryBytes, { runtime: systemRuntime, log: silentLog })
  t.teardown(() => process.close())
  t.strictSame(await process.bind(spec, built.files), { kind: 'bound' })

  const run = async (path: string) => {
    const services = createSiteServices({
      manifest,
      blobs: { stream: async (id, range) => Readable.from([blobs.get(id)?.subarray(range?.start, range?.end)]) },
      log: silentLog,
      runtime: systemRuntime,
    })
    const request = { method: 'get', path, query: undefined, headers: [], body: undefined } as const
    const context = { name: 'here', latitude: 1, longitude: 2 }
    const input = { world: 'http', context, request } as const
    const outcome = await process.run({ input, siteTimeMs: 1_600_000_000_123, services, timeoutMs: 60_000 })
    await process.rested
    return outcome.kind === 'answered' ? JSON.parse(Buffer.from(outcome.response.body ?? []).toString()) : outcome
  }

  const { reads, writes } = await run('/files')
  for (const [name, outcome] of Object.entries(writes)) t.strictSame(outcome, { code: 'read-only' }, name)
  t.match(reads, {
    a: { value: 'hello' },
    deep: { value: 'B' },
    streamed: { value: 'ello' },
    list: { value: ['a.txt:regular-file', 'big.bin:regular-file', 'sub:directory'] },
    'read outside': { code: 'not-permitted' },
    'read from the root': { code: 'not-permitted' },
  })
  for (const [name, outcome] of Object.entries(await run('/network')))
    t.match(outcome, { code: /^(access-denied|not-supported|invalid-argument)$/ }, name)
  const rest = await run('/rest')
  t.match(rest, {
    environment: { value: [['GREETING', 'hello']] },
    input: { code: 'closed' },
    print: { value: null },
    clock: { value: 0 },
    random: { value: 16 },
    seed: { value: 2 },
  })
  t.ok(rest.sleep.value >= 20_000_000, 'a sleep is as long as it was to be, or longer')
  t.match(await run('/exit'), { kind: 'failed', why: 'trap', detail: /exit/ })
  t.match(await run('/random'), { kind: 'failed', why: 'trap', detail: /random bytes/ })
  t.match(await run('/rest'), { random: { value: 16 } }, 'and the same process goes on')
})
