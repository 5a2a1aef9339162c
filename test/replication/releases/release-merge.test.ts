import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ReleaseFollower } from '../../../cli/node/release-follower.ts'
import {
  createOperation,
  type Hostname,
  Manifest,
  nextStamp,
  type Operation,
  type Release,
  type Signer,
  sidesOf,
  silentLog,
} from '../../../core/index.ts'
import { Activation, BlobStore, computeMerge } from '../../../replication/index.ts'
import { assembleMerge, findMergePlan } from '../../../replication/releases/merge-assembly.ts'
import { testSigner } from '../../support/histories.ts'
import { chunksOf, createBlob } from '../blob-support.ts'
import { cluster } from '../chain.ts'
import { recordLog } from '../fake-runtime.ts'
import { buildSite, domainChange, openReplica, publishChange, putSite, type TestSite } from './release-support.ts'

const domain = 'example.com' as Hostname

/** An operation of somebody who knew no more than `heads`. */
function write(
  heads: readonly Operation[],
  changes: Operation['changes'],
  signer: Signer = cluster.operator,
): Operation {
  const stamp = nextStamp(
    0,
    heads.map((head) => head.stamp),
  )
  return createOperation(signer, cluster.id, { stamp, heads: heads.map(({ id }) => id), changes })
}

/** A node as far as it serves releases: state, follower, activation, blobs; what it serves is written down. */
async function startNode(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'makiatto-merge-'))
  const { replica, runtime } = await openReplica()
  const store = await BlobStore.open(directory, { runtime })
  const wants: string[] = []
  const fetcher = {
    fetch: async (blobs: Iterable<{ hash: string }>, { signal }: { signal?: AbortSignal } = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const hashes = [...blobs].map(({ hash }) => hash)
      wants.push(...hashes)
      signal?.addEventListener('abort', () => reject(signal.reason))
      const look = async () => {
        if ((await store.missing(hashes as never)).length === 0) resolve()
      }
      const end = store.events.on('stored', () => void look())
      void look()
      await promise.finally(end)
    },
  }
  const log = recordLog()
  const activation = await Activation.start({ store, fetcher, file: join(directory, 'active.json'), runtime, log })
  const served: (Release | null)[] = []
  const edge = { activate: async (_: Hostname, release: Release | null) => void served.push(release) }
  const follower = new ReleaseFollower({ activation, edge, runtime, log, changed: () => {} })
  replica.events.on('change', ({ delta }) => follower.follow(replica, delta))
  await follower.begin(replica)
  t.teardown(async () => {
    follower[Symbol.dispose]()
    await activation[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const take = (...operations: Operation[]) => replica.merge(operations.map(({ bytes }) => bytes))
  /** Waits until the node serves a release that `test` accepts. */
  const until = async (test: (release: Release) => boolean): Promise<Release> => {
    for (let i = 0; i < 20_000; i++) {
      const release = activation.active().get(domain)
      if (release !== undefined && test(release) && served.at(-1)?.id === release.id) return release
      await nextTurn()
    }
    throw new Error('it never came')
  }
  return { replica, store, activation, follower, served, take, until, log, wants, directory }
}

const base = buildSite({ 'index.html': 'base', 'gone.html': 'gone', 'same.css': 'same', 'both.html': 'both' })
const left = buildSite({ 'index.html': 'left', 'gone.html': 'gone', 'same.css': 'same', 'both.html': 'both left' })
const right = buildSite({ 'index.html': 'base', 'same.css': 'same', 'new.html': 'right', 'both.html': 'both right' })

function history(onConcurrent: 'latest' | 'merge') {
  const set = write([cluster.creation], [domainChange(domain, onConcurrent)])
  const first = write([set], [publishChange(domain, base)])
  const sides = [write([first], [publishChange(domain, left)]), write([first], [publishChange(domain, right)])]
  const greatest = sides.toSorted((a, b) => (a.id < b.id ? 1 : -1))
  return { set, first, sides: sides as [Operation, Operation], greatest: greatest as [Operation, Operation] }
}

async function read(store: BlobStore, release: Release): Promise<Record<string, string>> {
  const files = [...Manifest.decode(await store.read(release.manifest)).files()]
  const texts = await Promise.all(
    files.map(async ({ path, hash }) => [path, Buffer.from(await store.read(hash)).toString()]),
  )
  return Object.fromEntries(texts)
}

async function putAll(store: BlobStore, ...sites: TestSite[]): Promise<void> {
  for (const site of sites) await putSite(store, site)
}

const isMerge = (release: Release): boolean => sidesOf(release) !== undefined

t.test('concurrent releases of a domain that asks for it are served as one, the same on every node', async (t) => {
  const { set, first, sides, greatest } = history('merge')
  const one = await startNode(t)
  const two = await startNode(t)
  for (const { store } of [one, two]) await putAll(store, base, left, right)
  await one.take(set, first, ...sides)
  await two.take(set, first, sides[1])
  await two.until(({ id }) => id === sides[1].id)
  await two.take(sides[0])
  const merged = await one.until(isMerge)
  t.same(await two.until(isMerge), merged)
  t.same(
    sidesOf(merged),
    greatest.map(({ id }) => id),
  )
  t.same(one.follower.merged, new Map([[domain, greatest.map(({ id }) => id)]]))
  const contested = greatest[0].id === sides[0].id ? 'both left' : 'both right'
  t.same(await read(one.store, merged), {
    'index.html': 'left',
    'same.css': 'same',
    'new.html': 'right',
    'both.html': contested,
  })

  const computed = await computeMerge(one.replica, one.store, domain)
  t.same(computed?.release, merged, 'a laptop computes the same')
  t.same(computed?.merge.contested, ['both.html'])

  // Who publishes next has seen both.
  const next = write(sides, [publishChange(domain, base)])
  await one.take(next)
  await one.until(({ id }) => id === next.id)
  t.same(one.follower.merged, new Map())
  t.equal(await computeMerge(one.replica, one.store, domain), undefined)
  for (const release of one.served)
    t.ok(release === null || [first.id, ...sides.map(({ id }) => id), merged.id, next.id].includes(release.id))
})

t.test('until all of it is here the release before stays, and a restart serves the merge at once', async (t) => {
  const { set, first, sides } = history('merge')
  const node = await startNode(t)
  await putAll(node.store, base, left)
  await node.take(set, first, ...sides)
  while (node.wants.length === 0) await nextTurn()
  t.equal(node.activation.active().size, 0, 'nothing was whole before')
  t.same(new Set(node.wants.slice(-1)), new Set([right.manifest.hash]), 'the manifest first')
  await node.store.put(right.manifest.hash, chunksOf(right.manifest.bytes))
  while (node.wants.length < 2) await nextTurn()
  t.equal(node.activation.active().size, 0)
  await putAll(node.store, right)
  const merged = await node.until(isMerge)
  await node.activation[Symbol.asyncDispose]()
  const again = await Activation.start({
    store: node.store,
    fetcher: { fetch: async () => {} },
    file: join(node.directory, 'active.json'),
    runtime: { after: () => () => {} },
    log: silentLog,
  })
  t.same(again.active(), new Map([[domain, merged]]))
  await again[Symbol.asyncDispose]()
})

t.test(
  'what is not asked for is not merged: latest, a rollback, a removal, a purge, a setting that is taken back',
  async (t) => {
    const latest = await startNode(t)
    const plain = history('latest')
    await putAll(latest.store, base, left, right)
    await latest.take(plain.set, plain.first, ...plain.sides)
    await latest.until(({ id }) => id === plain.greatest[0].id)
    t.ok(await computeMerge(latest.replica, latest.store, domain), 'though a command can ask for it')

    const { set, first, sides, greatest } = history('merge')
    const node = await startNode(t)
    await putAll(node.store, base, left, right)
    await node.take(set, first, ...sides)
    await node.until(isMerge)
    const rollback = write([first], [{ ...publishChange(domain, base), rollbackOf: first.id } as never])
    await node.take(rollback)
    const winner = [...sides, rollback].toSorted((a, b) => (a.id < b.id ? 1 : -1))[0] as Operation
    await node.until(({ id }) => id === winner.id)

    const other = await startNode(t)
    await putAll(other.store, base, left, right)
    await other.take(set, first, ...sides)
    await other.until(isMerge)
    const purge = write(sides, [{ kind: 'release.purge', domain, keep: greatest[0].id }])
    await other.take(purge)
    await other.until(({ id }) => id === greatest[0].id)

    const third = await startNode(t)
    await putAll(third.store, base, left, right)
    await third.take(set, first, ...sides)
    await third.until(isMerge)
    const back = write(sides, [domainChange(domain, 'latest')])
    await third.take(back)
    await third.until(({ id }) => id === greatest[0].id)
    await third.take(write([back], [domainChange(domain, 'merge')]))
    await third.until(isMerge)
    await third.take(write([...sides], [{ kind: 'domain.remove', domain }]))
    t.equal(third.activation.active().size, 0)
  },
)

t.test('a side goes from a merge with the member who wrote it', async (t) => {
  const thief = testSigner(40)
  const set = write(
    [cluster.creation],
    [domainChange(domain, 'merge'), { kind: 'operator.add', key: thief.key, name: 'other', role: 'operator' }],
  )
  const first = write([set], [publishChange(domain, base)])
  const mine = write([first], [publishChange(domain, left)])
  const theirs = write([first], [publishChange(domain, right)], thief)
  const node = await startNode(t)
  await putAll(node.store, base, left, right)
  await node.take(set, first, mine, theirs)
  await node.until(isMerge)
  await node.take(write([first], [{ kind: 'operator.remove', key: thief.key, how: 'revoke' }]))
  await node.until(({ id }) => id === mine.id)
})

t.test('a merge that cannot be made is told, and nothing else is served instead', async (t) => {
  const junk = createBlob(Buffer.from('no manifest'))
  const { set, first, sides } = history('merge')
  const bad = write([first], [{ ...publishChange(domain, right), manifest: junk.hash } as never])
  const node = await startNode(t)
  await putAll(node.store, base, left, right)
  await node.store.put(junk.hash, chunksOf(junk.bytes))
  await node.take(set, first)
  await node.until(({ id }) => id === first.id)
  await node.take(sides[0], bad)
  while (node.activation.unservable().length === 0) await nextTurn()
  t.match(node.activation.unservable(), [{ domain, missing: 0, reason: /not valid/ }])
  t.equal(node.activation.active().get(domain)?.id, first.id)
})

t.test('a side whose list of files the disk has altered is fetched again, not merged as it is', async (t) => {
  const { set, first, sides } = history('merge')
  const node = await startNode(t)
  await putAll(node.store, base, left, right)
  // Another list of files that unpacks: what is served without anybody noticing, and on this node alone.
  await writeFile(node.store.path(left.manifest.hash), base.manifest.bytes)
  await node.take(set, first, ...sides)
  for (let i = 0; i < 20_000 && !node.wants.includes(left.manifest.hash); i++) await nextTurn()
  t.ok(node.wants.includes(left.manifest.hash), 'asked for')
  t.notOk(
    node.served.some((release) => release !== null && isMerge(release)),
    'no merge is served before',
  )
  await putSite(node.store, left)
  t.match(await read(node.store, await node.until(isMerge)), { 'index.html': 'left', 'new.html': 'right' })
})

t.test('sides with more files than fit in memory together are not merged', async (t) => {
  const { set, first, sides } = history('merge')
  const node = await startNode(t)
  await putAll(node.store, base, left, right)
  await node.take(set, first, ...sides)
  const plan = await findMergePlan(node.replica, domain)
  if (plan === undefined) throw new Error('there is nothing to merge')
  await t.resolves(assembleMerge(plan, node.store, 12))
  await t.rejects(assembleMerge(plan, node.store, 11), { code: 'MAKI_TOO_LARGE', message: /more than 11 files/ })
})
