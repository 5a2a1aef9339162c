import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { AssetSeeker } from '../../../cli/node/asset-seeker.ts'
import type { EdgeRelease } from '../../../cli/node/edge-questions.ts'
import { KeptReleases } from '../../../cli/node/kept-releases.ts'
import { type BlobHash, type Change, type Hostname, type OperationId, silentLog } from '../../../core/index.ts'
import type { WantedBlob } from '../../../replication/index.ts'
import { cluster } from '../../replication/chain.ts'
import {
  blobsOf,
  buildSite,
  domainChange,
  openReplica,
  publishChange,
  type TestSite,
} from '../../replication/releases/release-support.ts'

const domain = 'example.com' as Hostname
const path = 'assets/app-3f9a2b81c04d7e56.js'

/** A node with nothing, and peers that have what they are given. */
async function createWorld(t: Test) {
  const { replica, runtime } = await openReplica()
  const here = new Map<BlobHash, Uint8Array>()
  const peers = new Map<BlobHash, Uint8Array>()
  const waiting = new Set<() => void>()
  const give = (...sites: TestSite[]) => {
    for (const site of sites) for (const { hash, bytes } of blobsOf(site)) peers.set(hash, bytes)
    for (const wake of [...waiting]) wake()
  }
  const fetcher = {
    async fetch(blobs: Iterable<WantedBlob>, { signal }: { signal?: AbortSignal } = {}) {
      for (const { hash } of blobs) {
        while (!here.has(hash) && !peers.has(hash))
          await new Promise<void>((resolve, reject) => {
            waiting.add(resolve)
            signal?.addEventListener('abort', () => reject(new Error('aborted')))
          })
        here.set(hash, (here.get(hash) ?? peers.get(hash)) as Uint8Array)
      }
    },
  }
  const store = {
    read: async (hash: BlobHash) => here.get(hash) as Uint8Array,
    sizes: async (hashes: readonly BlobHash[]) => hashes.map((hash) => here.get(hash)?.length),
    examine: async () => true,
  }
  const told = new Map<Hostname, readonly EdgeRelease[]>()
  const edge = { setReleases: (name: Hostname, releases: readonly EdgeRelease[]) => void told.set(name, releases) }
  const kept = new KeptReleases({ history: replica, edge, store, fetcher, runtime, log: silentLog })
  const seeker = new AssetSeeker({ history: replica, kept, store, fetcher, runtime, log: silentLog })
  replica.events.on('change', ({ operations, delta }) => kept.follow(operations, delta))
  t.teardown(async () => {
    kept[Symbol.dispose]()
    await seeker[Symbol.asyncDispose]()
  })
  const commit = async (...changes: Change[]): Promise<OperationId> =>
    (await replica.commit(cluster.operator, changes)).id
  await commit(domainChange(domain))
  return { runtime, here, give, told, seeker, commit }
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await nextTurn()
}

t.test('a chunk of a release that this node has nothing of comes from a peer', async (t) => {
  const { seeker, commit, give, here } = await createWorld(t)
  const site = buildSite({ [path]: 'new', 'index.html': '' })
  const release = await commit(publishChange(domain, site))
  give(site)
  const found = await seeker.answer({ kind: 'asset', domain, path })
  t.match(found, { file: { path, sizeBytes: 3 }, release })
  t.ok(here.has(site.files.get(path)?.hash as BlobHash), 'its bytes are here')
  t.notOk(here.has(site.files.get('index.html')?.hash as BlobHash), 'and nobody asked for the rest')
})

t.test('a release that was not heard of yet is waited for, by an event', async (t) => {
  const { seeker, commit, give, runtime } = await createWorld(t)
  const asked = seeker.answer({ kind: 'asset', domain, path })
  await turns()
  runtime.advance(1_500)
  await turns()
  const site = buildSite({ [path]: 'new' })
  give(site)
  const release = await commit(publishChange(domain, site))
  t.match(await asked, { release }, 'without a look at the clock')
})

t.test('what never comes is waited for so long, and no longer', async (t) => {
  const { seeker, commit, runtime } = await createWorld(t)
  const unheard = seeker.answer({ kind: 'asset', domain, path })
  await turns()
  runtime.advance(2_000)
  t.equal(await unheard, null, 'a release that nobody publishes')
  await commit(publishChange(domain, buildSite({ [path]: 'lost' })))
  const lost = seeker.answer({ kind: 'asset', domain, path })
  await turns()
  runtime.advance(5_000)
  t.equal(await lost, null, 'one whose list no peer has')
  t.equal(await seeker.answer({ kind: 'release', domain, id: 'a'.repeat(52) as OperationId }), false)
})

t.test('a release is shown when all of it is here', async (t) => {
  const { seeker, commit, give, runtime, told } = await createWorld(t)
  const [first, second] = [buildSite({ 'index.html': 'one' }), buildSite({ 'index.html': 'two' })]
  const id = await commit(publishChange(domain, first))
  await commit(publishChange(domain, second))
  runtime.advance(100)
  await turns()
  t.match(told.get(domain), [{ manifest: second.manifest.hash }, { id, manifest: first.manifest.hash }])
  t.ok((told.get(domain)?.[1]?.endedMs ?? 0) > 0, 'the one that was replaced has a date')
  const asked = seeker.answer({ kind: 'release', domain, id })
  await turns()
  runtime.advance(10_000)
  t.equal(await asked, false, 'who asks waits ten seconds')
  const again = seeker.answer({ kind: 'release', domain, id })
  give(first)
  t.equal(await again, true, 'and finds it fetched meanwhile')
  t.strictSame(seeker.counts, { found: 1, absent: 1, refused: 0 })
  await commit({ kind: 'domain.remove', domain })
  runtime.advance(100)
  await turns()
  t.strictSame(told.get(domain), [], 'a domain that was removed has none')
})

t.test('so many are sought at a time, and no more', async (t) => {
  const { seeker } = await createWorld(t)
  const asked = Array.from({ length: 600 }, (_, i) => seeker.answer({ kind: 'asset', domain, path: `${i}` }))
  t.strictSame(await Promise.all(asked.slice(512)), Array(88).fill(null))
  await seeker[Symbol.asyncDispose]()
  t.strictSame(await Promise.all(asked), Array(600).fill(null), 'and none is left behind')
  t.strictSame(seeker.counts, { found: 0, absent: 512, refused: 88 })
})

t.test('a chunk of a release that asks for a password is told of as such', async (t) => {
  const { seeker, commit, give } = await createWorld(t)
  const rules = '/assets/*\n  Basic-Auth: me:$scrypt$ln=1,r=1,p=1$aaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa\n'
  const site = buildSite({ [path]: 'new', 'index.html': '', _headers: rules })
  const release = await commit(publishChange(domain, site))
  give(site)
  t.match(await seeker.answer({ kind: 'asset', domain, path }), { release, isProtected: true })
})
