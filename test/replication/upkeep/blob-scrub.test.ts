import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type BlobHash, type Hostname, Manifest, type OperationId, type Release } from '../../../core/index.ts'
import {
  BlobFetcher,
  type BlobPeer,
  BlobRepair,
  BlobScrub,
  BlobStore,
  encodePack,
  ReleaseChecker,
  startBlobServer,
} from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { auditBlobs, createBlob, packItem, peerKey, type TestBlob } from '../blob-support.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

const MINUTE_MS = 60_000

/** Blobs of all sizes that matter: none, small, more than one read. */
const blobs: readonly TestBlob[] = [
  0,
  1,
  1000,
  300_000,
  1_200_000,
  ...Array.from({ length: 20 }, (_, i) => 2000 + i),
].map((size) => createBlob(createRandom(size + 1).bytes(size)))

async function startStore(t: Test, peers: BlobPeer[] = []) {
  const directory = t.testdir()
  const runtime = new FakeRuntime(1)
  const log = recordLog()
  const store = await BlobStore.open(directory, { runtime })
  await store.putPack(encodePack(blobs.map(packItem)))
  const fetcher = new BlobFetcher({ store, peers: () => peers, runtime, log })
  const file = join(directory, 'scrub.json')
  const open = async () => {
    const repair = await BlobRepair.start({ store, fetcher, log })
    return { repair, scrub: new BlobScrub({ store, repair, file, runtime, log }) }
  }
  t.teardown(() => fetcher[Symbol.asyncDispose]())
  return { directory, runtime, log, store, fetcher, open, file, peers }
}

async function startPeer(t: Test): Promise<BlobPeer> {
  const store = await BlobStore.open(join(t.testdirName, 'peer'))
  await store.putPack(encodePack(blobs.map(packItem)))
  const server = await startBlobServer({ store, host: '127.0.0.1', port: 0, log: recordLog() })
  t.teardown(() => server[Symbol.asyncDispose]())
  return { key: peerKey('peer'), url: server.url }
}

/** Lets time pass until something is so. */
async function until(runtime: FakeRuntime, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    runtime.advance(20)
    await nextTurn()
  }
}

for (const seed of seeds(6)) {
  t.test(`whatever a disk does to blobs is found, set aside, and mended from a peer (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const { store, runtime, open, log, directory, peers } = await startStore(t)
    peers.push(await startPeer(t))
    const hurt = new Set<BlobHash>()
    for (const { hash, sizeBytes } of random.shuffle(blobs.slice(1)).slice(0, 1 + random.integer(6))) {
      const bytes = await readFile(store.path(hash))
      const at = random.integer(sizeBytes)
      bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8))
      await writeFile(store.path(hash), random.chance(0.5) ? bytes : bytes.subarray(0, at))
      hurt.add(hash)
    }
    const { repair, scrub } = await open()
    runtime.advance(6 * MINUTE_MS)
    await until(runtime, () => scrub.counts.passes === 1 && repair.open === 0)
    t.same(repair.counts, { damaged: hurt.size, mended: hurt.size })
    t.same(new Set(log.events.filter(([event]) => event === 'blobs.damaged').map(([, { hash }]) => hash)), hurt)
    t.same(await auditBlobs(directory), { wrong: [], count: blobs.length })
    for (const hash of hurt) t.notOk(existsSync(join(directory, 'damaged', hash)), 'what was mended is not kept')
    t.equal(scrub.counts.blobs, blobs.length)
    await scrub[Symbol.asyncDispose]()
    await repair[Symbol.asyncDispose]()
  })
}

t.test('without a peer it stays aside and is not served; a restart goes on with it', async (t) => {
  const { store, open, directory, peers, fetcher, runtime } = await startStore(t)
  const { hash, bytes } = blobs[2] as TestBlob
  await writeFile(store.path(hash), 'other bytes')
  const before = await open()
  before.scrub.suspect(hash)
  await until(runtime, () => before.repair.open === 1)
  t.equal(await store.has(hash), false)
  t.equal(await readFile(join(directory, 'damaged', hash), 'utf8'), 'other bytes')
  await before.scrub[Symbol.asyncDispose]()
  await before.repair[Symbol.asyncDispose]()

  const after = await open()
  t.equal(after.repair.open, 1)
  peers.push(await startPeer(t))
  fetcher.peersChanged()
  await until(runtime, () => after.repair.open === 0)
  t.same(await store.read(hash), Buffer.from(bytes))
  t.notOk(existsSync(join(directory, 'damaged', hash)))

  await rm(store.path(hash))
  after.scrub.suspect(hash)
  await until(runtime, () => after.repair.counts.mended === 2)
  t.ok(await store.has(hash), 'what is gone altogether comes back too')

  peers.length = 0
  await writeFile(store.path(hash), '')
  after.scrub.suspect(hash)
  await until(runtime, () => after.repair.open === 1)
  after.repair.abandon({ has: () => false })
  await until(runtime, () => after.repair.open === 0)
  t.equal(after.repair.counts.mended, 2, 'what nobody needs is let go')
  await after.scrub[Symbol.asyncDispose]()
  await after.repair[Symbol.asyncDispose]()
})

t.test('a pass is slow, and goes on where it was', async (t) => {
  const { open, runtime, file, store } = await startStore(t)
  const order: BlobHash[] = []
  for await (const hash of store.list()) order.push(hash)
  const first = await open()
  runtime.advance(6 * MINUTE_MS)
  const startMs = runtime.nowMs
  await until(runtime, () => first.scrub.counts.blobs >= 8)
  await first.scrub[Symbol.asyncDispose]()
  const seen = first.scrub.counts.blobs
  t.same(JSON.parse(await readFile(file, 'utf8')), { after: order[seen - 1] })
  const second = await open()
  runtime.advance(6 * MINUTE_MS)
  await until(runtime, () => second.scrub.counts.passes === 1)
  t.equal(second.scrub.counts.blobs, order.length - seen)
  t.same(JSON.parse(await readFile(file, 'utf8')), { after: '' })
  const readBytes = blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  t.ok(
    runtime.nowMs - startMs - 6 * MINUTE_MS >= (readBytes / (4 * 1024 * 1024)) * 1000 - 500,
    'at most 4 MiB a second',
  )
  const { bytes } = second.scrub.counts
  runtime.advance(23 * 60 * MINUTE_MS)
  for (let i = 0; i < 50; i++) await nextTurn()
  t.equal(second.scrub.counts.bytes, bytes, 'a day between two passes')
  runtime.advance(60 * MINUTE_MS)
  await until(runtime, () => second.scrub.counts.passes === 2)
  t.ok(second.scrub.counts.bytes - bytes >= readBytes, 'and once more, the next day')
  await second.scrub[Symbol.asyncDispose]()
  await second.repair[Symbol.asyncDispose]()
  await first.repair[Symbol.asyncDispose]()
})

t.test('a blob of a wrong size does not condemn the release: it is set aside and asked for', async (t) => {
  const { store } = await startStore(t)
  const [{ hash, sizeBytes }] = blobs.slice(3) as [TestBlob]
  const manifest = Manifest.of([{ path: 'a', hash, sizeBytes }]).encode()
  await store.put(
    manifest.hash,
    (async function* () {
      yield manifest.bytes
    })(),
  )
  const domain = 'example.com' as Hostname
  const id = 'a'.repeat(52) as OperationId
  const release: Release = { id, domain, manifest: manifest.hash, tree: manifest.tree, files: 1, bytes: 1, aliases: [] }
  const checker = new ReleaseChecker(store)
  store.events.on('removed', () => checker.forget())
  t.equal((await checker.check(release)).kind, 'whole')
  await writeFile(store.path(hash), 'short')
  t.same(await new ReleaseChecker(store).check(release), { kind: 'missing', blobs: [{ hash, sizeBytes }] })
  t.equal((await checker.check(release)).kind, 'missing')
  await writeFile(store.path(manifest.hash), 'no manifest')
  t.same(await new ReleaseChecker(store).check(release), { kind: 'missing', blobs: [{ hash: manifest.hash }] })
  const lie = Manifest.of([{ path: 'a', hash: blobs[4]!.hash, sizeBytes: 1 }]).encode()
  await store.put(
    lie.hash,
    (async function* () {
      yield lie.bytes
    })(),
  )
  t.match(await checker.check({ ...release, manifest: lie.hash }), { kind: 'invalid' })
  t.ok(await store.has(blobs[4]!.hash), 'it was the manifest that lied')

  const component = createBlob(Buffer.from('a component'))
  const functions = [{ path: 'api.wasm', component: component.hash }]
  const empty = Manifest.of([]).encode()
  await store.put(
    empty.hash,
    (async function* () {
      yield empty.bytes
    })(),
  )
  const withFunction = { ...release, manifest: empty.hash, functions }
  t.same(await checker.check(withFunction), { kind: 'missing', blobs: [{ hash: component.hash }] })
})
