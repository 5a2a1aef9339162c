import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import {
  type BlobHash,
  type Hostname,
  MakiError,
  Manifest,
  type OperationId,
  operationIdFrom,
  type Release,
  silentLog,
} from '../../../core/index.ts'
import {
  Activation,
  type ActivationOptions,
  BlobFetcher,
  type BlobPeer,
  BlobStore,
  encodePack,
  startBlobServer,
  type WantedBlob,
} from '../../../replication/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { collect, createBlob, createBytes, packItem, peerKey, type TestBlob } from '../blob-support.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

const domains = ['example.com', 'example.net', 'example.org'] as Hostname[]
const [domain] = domains as [Hostname]

interface TestRelease {
  readonly release: Release
  readonly manifest: TestBlob
  readonly files: readonly TestBlob[]
}

let published = 0

function publish(
  domain: Hostname,
  files: readonly TestBlob[],
  sizes: (blob: TestBlob) => number = (blob) => blob.sizeBytes,
): TestRelease {
  published += 1
  // Same blobs under another name make another manifest.
  const paths = files.map((blob, i) => ({ path: `${published}/${i}.html`, hash: blob.hash, sizeBytes: sizes(blob) }))
  const manifest = Manifest.of(paths).encode()
  return {
    release: {
      id: operationIdFrom(createHash('sha256').update(`${published}`).digest()),
      domain,
      manifest: manifest.hash,
      tree: manifest.tree,
      files: files.length,
      bytes: 0,
      aliases: [],
    },
    manifest: createBlob(manifest.bytes),
    files,
  }
}

const randomFiles = (random: Random, count: number): TestBlob[] =>
  Array.from({ length: count }, () => createBlob(createBytes(random, 10 + random.integer(500))))

const blobsOf = (release: TestRelease): TestBlob[] => [release.manifest, ...release.files]

/** A store and a fetcher that get exactly the blobs that the test delivers. */
class Deliveries {
  readonly blobs = new Map<BlobHash, Uint8Array>()
  readonly pending = new Set<{ blobs: WantedBlob[]; resolve: () => void; reject: (error: unknown) => void }>()

  sizes = async (hashes: readonly BlobHash[]) => hashes.map((hash) => this.blobs.get(hash)?.length)

  read = async (hash: BlobHash): Promise<Uint8Array> => {
    const bytes = this.blobs.get(hash)
    if (bytes === undefined) throw new MakiError('MAKI_BLOB_MISSING', 'not here')
    return bytes
  }

  examine = async () => true

  put = async (hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void> => {
    this.blobs.set(hash, await collect(bytes))
    this.#settle()
  }

  fetch: ActivationOptions['fetcher']['fetch'] = async (blobs, { signal } = {}) => {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const wait = { blobs: [...blobs], resolve, reject }
    const abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort)
    this.pending.add(wait)
    this.#settle()
    try {
      await promise
    } finally {
      this.pending.delete(wait)
    }
  }

  deliver(blob: TestBlob): void {
    this.blobs.set(blob.hash, blob.bytes)
    this.#settle()
  }

  #settle(): void {
    for (const wait of this.pending) if (wait.blobs.every(({ hash }) => this.blobs.has(hash))) wait.resolve()
  }
}

/** Until all that can go on without the test has gone on. */
async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn()
}

async function start(t: Test, deliveries: Deliveries, file = join(t.testdir(), 'active.json')) {
  const log = recordLog()
  const runtime = new FakeRuntime(1)
  const activation = await Activation.start({ store: deliveries, fetcher: deliveries, file, runtime, log })
  return { activation, runtime, log, file }
}

for (const seed of seeds(60)) {
  t.test(`a release is active only when whole, and the last winner ends up active (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const deliveries = new Deliveries()
    const file = join(t.testdir(), 'active.json')
    const shared = randomFiles(random, 4)
    const releases = domains.flatMap((name) =>
      Array.from({ length: 4 }, () =>
        publish(name, [...randomFiles(random, random.integer(4)), ...shared.filter(() => random.chance(0.4))]),
      ),
    )
    const known = new Map(releases.map((item) => [item.release.id, item]))
    const open = async () => {
      const { activation } = await start(t, deliveries, file)
      activation.events.on('active', ({ release }) => {
        if (release === null) return
        const blobs = blobsOf(known.get(release.id) as TestRelease)
        t.ok(
          blobs.every(({ hash }) => deliveries.blobs.has(hash)),
          'whole',
        )
      })
      return activation
    }
    let activation = await open()
    const winners = new Map<Hostname, Release>()
    const undelivered = new Set(random.shuffle(releases.flatMap(blobsOf)))
    for (let step = 0; step < 60; step++) {
      const roll = random.next()
      const name = random.pick(domains)
      if (roll < 0.2) {
        const { release } = random.pick(releases.filter((item) => item.release.domain === name))
        winners.set(name, release)
        activation.winner(name, release)
      } else if (roll < 0.25) {
        winners.delete(name)
        activation.winner(name, null)
        t.notOk(activation.active().has(name), 'a removed domain ends at once')
      } else if (roll < 0.3) {
        const before = new Map(activation.active())
        await activation[Symbol.asyncDispose]()
        activation = await open()
        t.same(activation.active(), before, 'served at once after a restart')
        for (const name of domains) activation.winner(name, winners.get(name) ?? null)
      } else if (roll < 0.7) {
        const [blob] = undelivered
        if (blob !== undefined) {
          undelivered.delete(blob)
          deliveries.deliver(blob)
        }
      } else await nextTurn()
    }
    for (const blob of undelivered) deliveries.deliver(blob)
    await rest()
    t.same(activation.active(), winners)
    t.same(activation.unservable(), [])
    t.equal(deliveries.pending.size, 0, 'nothing is fetched for a release that lost')
    await activation[Symbol.asyncDispose]()
  })
}

t.test('until the winner is whole the one before stays; a newer winner ends its fetching', async (t) => {
  const random = createRandom(1)
  const deliveries = new Deliveries()
  const { activation } = await start(t, deliveries)
  const [first, second, third] = [1, 2, 3].map((count) => publish(domain, randomFiles(random, count))) as [
    TestRelease,
    TestRelease,
    TestRelease,
  ]
  const events: (OperationId | undefined)[] = []
  activation.events.on('active', ({ release }) => events.push(release?.id))
  for (const blob of blobsOf(first)) deliveries.deliver(blob)
  activation.winner(domain, first.release)
  await rest()
  activation.winner(domain, second.release)
  activation.winner(domain, second.release)
  deliveries.deliver(second.manifest)
  await rest()
  t.equal(deliveries.pending.size, 1)
  activation.winner(domain, third.release)
  await rest()
  t.same(
    [...deliveries.pending].flatMap(({ blobs }) => blobs),
    [{ hash: third.manifest.hash }],
  )
  for (const blob of blobsOf(second)) deliveries.deliver(blob)
  await rest()
  t.same(events, [first.release.id])
  activation.winner(domain, first.release)
  await rest()
  t.same(events, [first.release.id], 'back to what is active is no event')
  activation.winner(domain, null)
  t.same(events, [first.release.id, undefined])
  await activation[Symbol.asyncDispose]()
})

t.test('a release that can never be whole is told, and the one before stays', async (t) => {
  const random = createRandom(2)
  const files = randomFiles(random, 2)
  const good = publish(domain, files)
  const bad = publish(domain, files, () => 1)
  const noManifest = createBlob(Buffer.from('no manifest'))
  const broken = { ...publish(domain, files), manifest: noManifest }
  const deliveries = new Deliveries()
  const { activation, runtime } = await start(t, deliveries)
  for (const item of [good, bad, broken]) for (const blob of blobsOf(item)) deliveries.deliver(blob)
  activation.winner(domain, good.release)
  await rest()
  for (const release of [bad.release, { ...broken.release, manifest: noManifest.hash }]) {
    activation.winner(domain, release)
    await rest()
    t.match(activation.unservable(), [{ domain, release: release.id, reason: /bytes, the manifest says|not valid/ }])
    t.equal(activation.active().get(domain)?.id, good.release.id)
  }
  t.equal(runtime.timers, 0, 'it is not tried again')
  activation.winner(domain, good.release)
  t.same(activation.unservable(), [])
  await activation[Symbol.asyncDispose]()
})

t.test('a disk that fails is told, and tried again after a pause', async (t) => {
  const item = publish(domain, randomFiles(createRandom(3), 2))
  const deliveries = new Deliveries()
  const { activation, runtime } = await start(t, deliveries)
  activation.winner(domain, item.release)
  await rest()
  for (const { reject } of deliveries.pending) reject(new MakiError('MAKI_DISK_FULL', 'the disk is full'))
  await rest()
  t.match(activation.unservable(), [{ domain, reason: 'the disk is full' }])
  for (const blob of blobsOf(item)) deliveries.deliver(blob)
  runtime.advance(2000)
  await rest()
  t.same(activation.active(), new Map([[domain, item.release]]))
  t.same(activation.unservable(), [])
  await activation[Symbol.asyncDispose]()
})

t.test('a broken file of active releases is set aside; a release without its manifest is left out', async (t) => {
  const item = publish(domain, [])
  const { release } = item
  const broken = ['', '{', 'null', '[]', '{"version":2,"releases":[]}', '{"version":1,"releases":[{}]}']
  broken.push(JSON.stringify({ version: 1, releases: [{ ...release, manifest: '../../etc/passwd' }] }))
  broken.push(JSON.stringify({ version: 1, releases: [{ ...release, id: 'x' }] }))
  for (const text of broken) {
    const file = join(t.testdir(), 'active.json')
    await writeFile(file, text)
    const { activation, log } = await start(t, new Deliveries(), file)
    t.equal(activation.active().size, 0)
    t.equal(await readFile(`${file}.broken`, 'utf8'), text)
    t.match(log.events, [['activation.file_set_aside', {}]])
    await activation[Symbol.asyncDispose]()
  }
  const file = join(t.testdir(), 'active.json')
  await writeFile(file, JSON.stringify({ version: 1, releases: [release] }))
  const { activation, log } = await start(t, new Deliveries(), file)
  t.equal(activation.active().size, 0)
  t.match(log.events, [['activation.manifest_missing', { domain }]])
  await activation[Symbol.asyncDispose]()
})

t.test('over the network: unservable while no peer has it, active when one does', async (t) => {
  const random = createRandom(4)
  const item = publish(domain, randomFiles(random, 40))
  const root = t.testdir()
  const source = await BlobStore.open(join(root, 'source'))
  await source.putPack(encodePack(blobsOf(item).map(packItem)))
  const server = await startBlobServer({ store: source, host: '127.0.0.1', port: 0, log: silentLog })
  t.teardown(() => server[Symbol.asyncDispose]())
  const store = await BlobStore.open(join(root, 'target'))
  const peers: BlobPeer[] = []
  const runtime = new FakeRuntime(1)
  await using fetcher = new BlobFetcher({ store, peers: () => peers, runtime, log: silentLog })
  await using activation = await Activation.start({
    store,
    fetcher,
    file: join(root, 'active.json'),
    runtime,
    log: silentLog,
  })
  const unservable = Promise.withResolvers<void>()
  const active = Promise.withResolvers<void>()
  activation.events.on('unservable', (list) => list.length > 0 && unservable.resolve())
  activation.events.on('active', () => active.resolve())
  activation.winner(domain, item.release)
  await unservable.promise
  t.same(activation.unservable(), [{ domain, release: item.release.id, missing: 1 }])
  peers.push({ key: peerKey('source'), url: server.url })
  fetcher.peersChanged()
  await active.promise
  t.same(activation.active(), new Map([[domain, item.release]]))
  t.same(activation.unservable(), [])
  t.same(await store.missing(blobsOf(item).map(({ hash }) => hash)), [])
})
