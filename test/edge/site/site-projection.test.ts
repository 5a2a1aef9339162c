import { Agent, get, type IncomingMessage } from 'node:http'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type BlobHash,
  type Entry,
  type Hostname,
  type Key,
  keys,
  type MemberKey,
  type Release,
  type Runtime,
  StateTable,
  scopeOf,
  silentLog,
} from '../../../core/index.ts'
import { SiteProjection, startHttpServer } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildManifest, decide, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

const host = (name: string) => name as Hostname
const A = host('a.com')
const B = host('b.com')
const SETTINGS = { spa: false, onConcurrent: 'latest', previews: true }

/** A state to write keys into, with the projection told of every change. */
function setUp(blobs = new MemoryBlobs(), runtime: Pick<Runtime, 'now'> = systemRuntime) {
  const state = new StateTable()
  const projection = new SiteProjection({ blobs, log: silentLog, runtime })
  const write = (...entries: [Key, unknown][]) => {
    const delta = entries.map(([key, value]): [Key, Entry | null] => [
      key,
      value === null
        ? null
        : { key, value, operation: releaseId('c'), author: '' as MemberKey, stamp: { wallMs: 0, counter: 0 } },
    ])
    state.apply({ entries: delta, touches: [] })
    projection.refresh(state, new Set(entries.map(([key]) => scopeOf(key))))
  }
  const owner = (name: string) => projection.table.findSite(name)?.domain
  return { state, projection, write, owner, blobs }
}

async function publish(
  blobs: MemoryBlobs,
  letter: string,
  files: Record<string, string>,
  domain = A,
): Promise<Release> {
  const { bytes, hash, tree } = buildManifest(blobs, files).encode()
  blobs.bytes.set(hash, bytes)
  return { id: releaseId(letter), domain, manifest: hash, tree, files: 1, bytes: 1, aliases: [] }
}

t.test('hosts follow the state', async (t) => {
  const { write, owner, projection } = setUp()
  const www = host('www.a.com')
  write([keys.domain(A), SETTINGS], [keys.host(A), { domain: A }])
  t.equal(owner('a.com'), A)
  write([keys.alias(A, www), {}], [keys.host(www), { domain: A }])
  t.equal(owner('www.a.com'), A)
  const before = projection.table
  write([keys.domain(B), SETTINGS], [keys.alias(B, www), {}])
  t.equal(owner('www.a.com'), A, 'a second claim waits')
  write([keys.host(www), { domain: B }])
  t.equal(owner('www.a.com'), B, 'the host alone decides')
  t.equal(before.findSite('www.a.com')?.domain, A, 'a table that was taken stays as it was')
  write([keys.alias(B, www), null], [keys.host(www), null])
  t.equal(owner('www.a.com'), undefined)
  write([keys.host(www), { domain: A }])
  t.equal(owner('www.a.com'), A)
  write([keys.domain(A), null])
  t.equal(owner('a.com'), undefined)
  t.equal(owner('www.a.com'), undefined)
  t.equal(owner('b.com'), B)
  write([keys.host(B), { domain: A }])
  t.equal(owner('b.com'), undefined, 'an apex that another domain won is not served')
  write([keys.host(B), null])
  t.equal(owner('b.com'), B)
})

t.test('two domains that claim each other’s name answer for it, and nothing goes round', async (t) => {
  const { write, owner, projection } = setUp()
  write([keys.domain(A), SETTINGS], [keys.alias(A, B), {}], [keys.host(B), { domain: A }])
  write([keys.domain(B), SETTINGS], [keys.alias(B, A), {}], [keys.host(A), { domain: B }])
  t.equal(owner('b.com'), A)
  t.equal(owner('a.com'), B)
  t.strictSame(
    projection.table.findSite('a.com')?.hosts,
    ['a.com'],
    'a host is a domain’s, never another host’s: there are no chains',
  )
  write([keys.domain(A), null])
  t.equal(owner('b.com'), undefined, 'what a domain held goes with it')
  t.equal(owner('a.com'), B)
})

t.test('settings follow the state', async (t) => {
  const { write, projection } = setUp()
  const site = () => projection.table.findSite('a.com')
  write([keys.domain(A), { ...SETTINGS, spa: true }])
  t.match(site(), { spa: true, redirect: undefined, published: false, release: undefined })
  write([keys.release(A), { manifest: 'x' as BlobHash }])
  t.equal(site()?.published, true)
  for (const [redirect, expected] of [
    ['https://new.com', 'https://new.com'],
    ['https://new.com/', 'https://new.com'],
    ['http://new.com:8080/sub//?a#b', 'http://new.com:8080/sub'],
    ['javascript:alert(1)', undefined],
    ['//new.com', undefined],
    ['', undefined],
  ]) {
    write([keys.domain(A), { ...SETTINGS, redirect }])
    t.equal(site()?.redirect, expected, String(redirect))
  }
})

t.test('a scope that did not change is not looked at', async (t) => {
  const { state, write, projection } = setUp()
  write([keys.domain(A), SETTINGS], [keys.domain(B), SETTINGS])
  const table = projection.table
  projection.refresh(state, new Set(['cluster', 'node/x', 'member/y', 'node-name/z']))
  t.equal(projection.table, table)
  write([keys.domain(B), { ...SETTINGS, spa: true }])
  t.equal(projection.table.siteOf(A), table.siteOf(A), 'the other site is the same object')
  t.not(projection.table.siteOf(B), table.siteOf(B))
})

t.test('activation', async (t) => {
  const { write, projection, blobs } = setUp()
  const served = () => projection.table.findSite('a.com')?.release?.id
  const one = await publish(blobs, 'd', { 'index.html': 'one' })
  const two = await publish(blobs, 'e', { 'index.html': 'two' })
  await projection.activate(A, one)
  t.equal(served(), undefined, 'nothing is served for a domain that is not there yet')
  write([keys.domain(A), SETTINGS])
  t.equal(served(), one.id, 'and its release when it comes')
  await projection.activate(A, two)
  t.equal(served(), two.id)
  write([keys.domain(A), { ...SETTINGS, spa: true }])
  t.equal(served(), two.id, 'settings change nothing of it')
  const broken = { ...one, id: releaseId('f'), manifest: blobs.add('no manifest') }
  await t.rejects(projection.activate(A, broken), { code: 'MAKI_INVALID' })
  await t.rejects(projection.activate(A, { ...broken, manifest: '0'.repeat(64) as BlobHash }), {
    code: 'MAKI_BLOB_MISSING',
  })
  t.equal(served(), two.id, 'a release that cannot be read leaves the one before')
  await projection.activate(A, null)
  t.equal(served(), undefined)
})

for (const seed of seeds(50)) {
  t.test(`of activations that overlap the last call wins, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const gates: (() => void)[] = []
    class SlowBlobs extends MemoryBlobs {
      override async read(hash: BlobHash): Promise<Uint8Array> {
        await new Promise<void>((resolve) => gates.push(resolve))
        return super.read(hash)
      }
    }
    const { write, projection, blobs } = setUp(new SlowBlobs())
    write([keys.domain(A), SETTINGS])
    const releases = await Promise.all(
      ['d', 'e', 'f', 'g'].map((letter) => publish(blobs, letter, { 'index.html': letter })),
    )
    const calls: Promise<void>[] = []
    let last: Release | null = null
    for (let step = 0; step < 12; step++) {
      if (random.chance(0.6)) {
        last = random.chance(0.2) ? null : random.pick(releases)
        calls.push(projection.activate(A, last))
      } else random.pick(gates.length === 0 ? [() => {}] : gates)()
      await Promise.resolve()
    }
    for (const open of random.shuffle(gates)) open()
    await Promise.all(calls)
    t.equal(projection.table.findSite('a.com')?.release?.id, last?.id)
  })
}

t.test('visitors never see a mix of two releases', async (t) => {
  const { write, projection, blobs } = setUp()
  write([keys.domain(A), SETTINGS])
  const pad = 'x'.repeat(100_000)
  const releases = await Promise.all(
    ['d', 'e'].map((letter) =>
      publish(blobs, letter, {
        'index.html': `${letter} page`,
        'app.js': `${letter} script ${pad}`,
        ...(letter === 'd' ? { 'only-d.html': 'd only' } : {}),
      }),
    ),
  )
  await projection.activate(A, releases[0] as Release)
  await using server = await startHttpServer({
    table: () => projection.table,
    blobs,
    node: 'n',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.teardown(() => agent.destroy())
  const seen = new Map<string, number>()
  const ask = async (path: string) => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ port: server.address.port, host: '127.0.0.1', path, agent, headers: { host: 'a.com' } }, resolve).on(
        'error',
        reject,
      )
    })
    const body = Buffer.concat(await response.toArray()).toString()
    const release = String(response.headers['makiatto-release'])[0] as string
    seen.set(release, (seen.get(release) ?? 0) + 1)
    if (response.statusCode === 404) {
      if (release !== 'e' || path !== '/only-d') t.fail(`${path} is missing in ${release}`)
    } else if (body[0] !== release || Number(response.headers['content-length']) !== body.length)
      t.fail(`${path} of ${release} says ${body.slice(0, 10)}`)
  }
  let asked = 0
  const client = async () => {
    while (asked < 1500) await ask(['/', '/app.js', '/only-d'][asked++ % 3] as string)
  }
  const clients = Promise.all(Array.from({ length: 8 }, client))
  let switches = 0
  while (asked < 1500) {
    await projection.activate(A, releases[++switches % 2] as Release)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await clients
  t.ok((seen.get('d') ?? 0) > 50 && (seen.get('e') ?? 0) > 50, `both were seen in ${switches} switches`)
})

t.test('an answer in the making keeps its release', async (t) => {
  const { write, projection, blobs } = setUp()
  write([keys.domain(A), SETTINGS])
  await projection.activate(A, await publish(blobs, 'd', { 'index.html': 'old' }))
  const plan = decide(siteRequest({ host: 'a.com' }), projection.table, { node: 'n' })
  await projection.activate(A, await publish(blobs, 'e', { 'index.html': 'new' }))
  t.equal(plan.body.kind === 'blob' && new TextDecoder().decode(await blobs.read(plan.body.hash)), 'old')
})

t.test('a release that was published by a clock ahead was last modified when it came', async (t) => {
  const nowMs = Date.UTC(2026, 0, 31)
  const { write, projection, blobs } = setUp(new MemoryBlobs(), { now: () => nowMs })
  write([keys.domain(A), SETTINGS], [keys.host(A), { domain: A }])
  const ask = () => decide(siteRequest({ host: 'a.com' }), projection.table, { node: 'n' }).headers['last-modified']
  for (const [letter, aheadMs] of [
    ['d', -90_000],
    ['e', 90_000],
  ] as const) {
    const release = await publish(blobs, letter, { 'index.html': letter })
    await projection.activate(A, { ...release, publishedMs: nowMs + aheadMs })
    t.equal(ask(), new Date(nowMs + Math.min(0, aheadMs)).toUTCString())
  }
})

t.test('a site that cannot be built stays as it was, and the others go on', async (t) => {
  const { write, owner, projection, state } = setUp()
  write([keys.domain(A), SETTINGS], [keys.host(A), { domain: A }])
  const broken = Object.assign(Object.create(state), {
    get: (key: Key) => state.get(key),
    scope: (scope: string) => {
      if (scope === keys.domain(A)) throw new Error('broken')
      return state.scope(scope)
    },
  })
  const entry = (key: Key, value: unknown): [Key, Entry] => [
    key,
    { key, value, operation: releaseId('d'), author: '' as MemberKey, stamp: { wallMs: 0, counter: 0 } },
  ]
  state.apply({ entries: [entry(keys.domain(B), SETTINGS), entry(keys.host(B), { domain: B })], touches: [] })
  projection.refresh(broken, new Set([keys.domain(A), keys.domain(B)]))
  t.equal(owner('a.com'), A)
  t.equal(owner('b.com'), B)
})
