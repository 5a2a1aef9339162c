import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import {
  type BlobHash,
  type Change,
  type Hostname,
  keys,
  Manifest,
  type OperationId,
  type Release,
  silentLog,
} from '../../../core/index.ts'
import { BlobCollector, BlobStore, checkRelease, encodePack, type StoreDamage } from '../../../replication/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { chunksOf, createBlob, packItem } from '../blob-support.ts'
import { cluster } from '../chain.ts'
import {
  blobsOf,
  buildSite,
  domainChange,
  openReplica,
  publishChange,
  putSite,
  releaseOf,
} from '../releases/release-support.ts'
import { createCollector } from './old-cluster.ts'

const domains = ['example.com', 'example.org'] as Hostname[]
const [domain] = domains as [Hostname]
const DAY_MS = 24 * 3_600_000

async function listBlobs(store: BlobStore): Promise<Set<BlobHash>> {
  const hashes = new Set<BlobHash>()
  for await (const hash of store.list()) hashes.add(hash)
  return hashes
}

const randomSite = (random: Random) =>
  buildSite(
    Object.fromEntries(
      ['a', 'b', 'c', 'd'].filter(() => random.chance(0.7)).map((path) => [path, `${path} ${random.integer(12)}`]),
    ),
  )

for (const seed of seeds(2)) {
  t.test(`through releases, purges and removals the last ten stay whole (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const directory = t.testdir()
    const { replica, runtime } = await openReplica()
    await using store = await BlobStore.open(directory, { runtime })
    await using collector = createCollector(store, replica, runtime, directory)
    replica.events.on('change', ({ operations }) => collector.follow(operations))
    // Newest first, of each domain.
    const standing = new Map<Hostname, Release[]>(domains.map((name) => [name, []]))
    for (const name of domains) await replica.commit(cluster.operator, [domainChange(name)])
    /** When each release was replaced. */
    const endedMs = new Map<OperationId, number>()
    const stays = (release: Release, i: number): boolean =>
      i < 10 || runtime.now() - (endedMs.get(release.id) ?? 0) < 7 * DAY_MS
    for (let step = 0; step < 40; step++) {
      const name = random.chance(0.8) ? domain : random.pick(domains)
      const releases = standing.get(name) as Release[]
      const roll = random.next()
      if (roll < 0.6) {
        const site = randomSite(random)
        await putSite(store, site)
        const component = createBlob(Buffer.from(`component ${random.integer(30)}`))
        const functions = random.chance(0.5) ? [{ path: 'api.wasm', component: component.hash }] : []
        if (functions.length > 0) await store.put(component.hash, chunksOf(component.bytes))
        const operation = await replica.commit(cluster.operator, [
          { ...publishChange(name, site), functions } as Change,
        ])
        if (releases[0] !== undefined) endedMs.set(releases[0].id, operation.stamp.wallMs)
        releases.unshift(releaseOf(operation, name))
      } else if (roll < 0.65 && releases[0] !== undefined) {
        const keep = releases[0].id
        await replica.commit(cluster.operator, [{ kind: 'release.purge', domain: name, keep }])
        releases.length = 1
        // It was begun by the operation itself.
        await collector.collect()
      } else if (roll < 0.7) {
        await replica.commit(cluster.operator, [{ kind: 'domain.remove', domain: name }])
        await collector.collect()
        for (const release of releases.slice(0, 10)) t.equal((await checkRelease(release, store)).kind, 'whole', 'undo')
        await replica.commit(cluster.operator, [domainChange(name)])
      } else {
        runtime.advance(random.integer(2 * DAY_MS))
        await collectAnew(collector)
      }
      if (step % 5 !== 0) continue
      for (const list of standing.values())
        for (const release of list.filter(stays)) t.equal((await checkRelease(release, store)).kind, 'whole')
    }
    runtime.advance(7 * DAY_MS)
    await collectAnew(collector)
    const needed = new Set<BlobHash>()
    for (const list of standing.values()) {
      for (const { manifest } of list.slice(0, 50)) needed.add(manifest)
      for (const { manifest } of list.slice(0, 10)) for (const hash of await filesOf(store, manifest)) needed.add(hash)
      for (const { functions = [] } of list.slice(0, 10)) for (const { component } of functions) needed.add(component)
    }
    t.same(await listBlobs(store), needed, 'and nothing else is left')
    t.same(await readdir(join(directory, 'incoming')), [])
  })

  t.test(`what is published while old blobs go is whole, or refused (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const directory = t.testdir()
    const { replica, runtime } = await openReplica()
    await replica.commit(cluster.operator, [domainChange(domain)])
    await using store = await BlobStore.open(directory, { runtime })
    const strays = Array.from({ length: 700 }, (_, i) => createBlob(Buffer.from(`stray ${i}`)))
    await store.putPack(encodePack(strays.map(packItem)))
    await using collector = createCollector(store, replica, runtime, directory)
    replica.events.on('change', ({ operations }) => collector.follow(operations))
    const outcomes: Promise<Release | undefined>[] = []
    const collecting = collector.collect()
    for (let i = 0; i < 12; i++) {
      for (let turns = random.integer(6); turns > 0; turns--) await nextTurn()
      // Its files have lain here for years; the laptop was told so by an old answer.
      const files = Array.from({ length: 8 }, () => random.pick(strays))
      const site = buildSite(
        Object.fromEntries(files.map(({ bytes }, j) => [`${i}/${j}`, Buffer.from(bytes).toString()])),
      )
      const late = random.chance(0.3)
      if (!late) await store.put(site.manifest.hash, chunksOf(site.manifest.bytes))
      outcomes.push(publish(site.manifest.hash, site, late))
    }
    async function publish(_: BlobHash, site: ReturnType<typeof buildSite>, late: boolean) {
      const release = { ...publishChange(domain, site), id: 'a'.repeat(52) } as never as Release
      using _pin = collector.pin([release])
      // A node that fetches has the manifest later than the operation.
      if (late) await store.put(site.manifest.hash, chunksOf(site.manifest.bytes))
      if ((await checkRelease(release, store)).kind !== 'whole') return undefined
      await nextTurn()
      return releaseOf(await replica.commit(cluster.operator, [publishChange(domain, site)]), domain)
    }
    const published = (await Promise.all(outcomes)).filter((release) => release !== undefined)
    await collecting
    const check = async (releases: readonly Release[]) => {
      for (const release of releases) t.equal((await checkRelease(release, store)).kind, 'whole')
    }
    await check(published)
    await collector.collect()
    const newest: string[] = []
    for await (const { id } of replica.history(keys.release(domain))) newest.push(id)
    await check(published.filter(({ id }) => newest.indexOf(id) < 10))
    const left = await listBlobs(store)
    t.ok(left.size < 12 * 9 + 10, `of ${strays.length} strays ${left.size} are left`)
  })
}

async function filesOf(store: BlobStore, manifest: BlobHash): Promise<BlobHash[]> {
  return [...Manifest.decode(await store.read(manifest)).files()].map(({ hash }) => hash)
}

/** The clock's leaps begin runs by themselves, and what is asked for joins them: the second one sees the time that it is. */
async function collectAnew(collector: BlobCollector): Promise<void> {
  await collector.collect()
  await collector.collect()
}

t.test('who was told that a blob is here can rely on it for 48 hours', async (t) => {
  const directory = t.testdir()
  const { replica, runtime } = await openReplica()
  await using store = await BlobStore.open(directory, { runtime })
  await using collector = createCollector(store, replica, runtime, directory)
  const [asked, sent, other] = ['asked', 'sent again', 'other'].map((text) => createBlob(Buffer.from(text)))
  for (const { hash, bytes } of [asked!, sent!, other!]) await store.put(hash, chunksOf(bytes))
  t.same(await store.renew([asked!.hash, createBlob(Buffer.from('new')).hash]), [createBlob(Buffer.from('new')).hash])
  await store.putPack(encodePack([packItem(sent!)]))
  await collectAnew(collector)
  t.same(await listBlobs(store), new Set([asked!.hash, sent!.hash]))
  runtime.advance(47 * 3_600_000)
  await store.put(sent!.hash, chunksOf(sent!.bytes))
  runtime.advance(2 * 3_600_000)
  await collectAnew(collector)
  t.same(await listBlobs(store), new Set([sent!.hash]))
  // Another node of this disk, or this one before its clock was right.
  runtime.nowMs -= 400 * DAY_MS
  await collectAnew(collector)
  t.same(await listBlobs(store), new Set([sent!.hash]))
  t.equal(store.leasedMs(sent!.hash), runtime.nowMs, 'a lease that lies ahead counts from now')
})

t.test('a removed domain has a week; a purge waits for what is served', async (t) => {
  const directory = t.testdir()
  const { replica, runtime } = await openReplica()
  await using store = await BlobStore.open(directory, { runtime })
  let served: Release[] = []
  const open = () => createCollector(store, replica, runtime, directory, () => served)
  const [first, second] = [buildSite({ a: 'first', b: 'both' }), buildSite({ a: 'second', b: 'both' })] as const
  for (const site of [first, second]) await putSite(store, site)
  await replica.commit(cluster.operator, [domainChange(domain)])
  const one = releaseOf(await replica.commit(cluster.operator, [publishChange(domain, first)]), domain)
  const two = releaseOf(await replica.commit(cluster.operator, [publishChange(domain, second)]), domain)
  served = [one]
  await replica.commit(cluster.operator, [{ kind: 'release.purge', domain, keep: two.id }])
  const all = new Set([...blobsOf(first), ...blobsOf(second)].map(({ hash }) => hash))
  await store.renew([...all])
  {
    await using collector = open()
    await collectAnew(collector)
    t.same(await listBlobs(store), all, 'one node serves it still')
    served = [two]
    collector.switched()
    await collectAnew(collector)
  }
  t.same(await listBlobs(store), new Set(blobsOf(second).map(({ hash }) => hash)), 'lease or not')
  t.match(JSON.parse(await readFile(join(directory, 'collection.json'), 'utf8')), { purges: [/^[a-z2-7]{52}$/] })
  {
    await using collector = open()
    await putSite(store, first)
    await store.renew([...all])
    await collectAnew(collector)
    t.same(await listBlobs(store), all, 'a purge is carried out once; who publishes the same again may')
  }
  served = []
  await replica.commit(cluster.operator, [{ kind: 'domain.remove', domain }])
  runtime.advance(3 * DAY_MS)
  await using collector = open()
  await collectAnew(collector)
  runtime.advance(6 * DAY_MS)
  await collectAnew(collector)
  t.same(await listBlobs(store), new Set(blobsOf(second).map(({ hash }) => hash)), 'since it was seen')
  runtime.advance(2 * DAY_MS)
  await collectAnew(collector)
  t.same(await listBlobs(store), new Set())
})

t.test('nothing goes while the manifest of what is served cannot be read', async (t) => {
  const directory = t.testdir()
  const { replica, runtime } = await openReplica()
  await using store = await BlobStore.open(directory, { runtime })
  const site = buildSite({ a: 'x' })
  await putSite(store, site)
  await replica.commit(cluster.operator, [domainChange(domain)])
  const release = releaseOf(await replica.commit(cluster.operator, [publishChange(domain, site)]), domain)
  await store.remove(site.manifest.hash)
  await using collector = createCollector(store, replica, runtime, directory, () => [release])
  await collector.collect()
  t.ok(await store.has(site.files.get('a')!.hash))
})

t.test('a minute after the start, every hour, and when the disk is short', async (t) => {
  const { replica, runtime } = await openReplica()
  let isShort = false
  const none = async () => {}
  const store = {
    list: async function* () {},
    leasedMs: () => undefined,
    remove: async () => false,
    renew: async () => [],
    read: async () => new Uint8Array(),
    examine: async () => true,
    flush: none,
    isShort: async () => isShort,
  }
  await using collector = new BlobCollector({
    store,
    replica,
    served: () => [],
    wanted: () => [],
    file: join(t.testdir(), 'collection.json'),
    runtime,
    log: silentLog,
  })
  /** Minutes pass one by one; says in which of them a run began. */
  const pass = async (minutes: number): Promise<number[]> => {
    const began: number[] = []
    for (let minute = 1; minute <= minutes; minute++) {
      const before = collector.counts.runs
      runtime.advance(60_000)
      while (runtime.timers === 0) await nextTurn()
      if (collector.counts.runs > before) began.push(minute)
    }
    return began
  }
  t.same(await pass(125), [1, 61, 121])
  isShort = true
  t.same(await pass(12), [1, 6, 11])
})

t.test('nothing is collected while operations are lost: what needs a blob may be among them', async (t) => {
  const directory = t.testdir()
  const { replica, runtime } = await openReplica()
  await using store = await BlobStore.open(directory, { runtime })
  const site = buildSite({ 'index.html': 'of a release that nobody here knows now' })
  await putSite(store, site)
  runtime.advance(4 * DAY_MS)
  let damaged: StoreDamage | undefined = { readable: 1, lost: 1 }
  Object.defineProperty(replica, 'damaged', { get: () => damaged })
  await using collector = createCollector(store, replica, runtime, directory)
  await collector.collect()
  t.equal((await listBlobs(store)).size, 2)
  damaged = undefined
  await collectAnew(collector)
  t.equal((await listBlobs(store)).size, 0)
})
