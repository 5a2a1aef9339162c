import t from 'tap'
import {
  type BlobHash,
  type Hostname,
  hashBlob,
  type OperationId,
  operationIdFrom,
  type Release,
} from '../../../core/index.ts'
import { judgeLease, LEASE_MS } from '../../../replication/blobs/blob-lease.ts'
import { OPEN_PAGE_MS } from '../../../replication/releases/kept-releases.ts'
import { ClockWatch } from '../../../replication/upkeep/clock-watch.ts'
import {
  type CollectionCircumstances,
  type DomainReleases,
  listCarriedOut,
  planCollection,
  planSweep,
  REMOVED_GRACE_MS,
} from '../../../replication/upkeep/collection-plan.ts'
import { HashSieve } from '../../../replication/upkeep/hash-sieve.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const NOW_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000

const blob = (name: string): BlobHash => hashBlob(Buffer.from(name))

let made = 0
const newRelease = (domain: Hostname, manifest: BlobHash): Release => {
  made += 1
  const id = operationIdFrom(Buffer.from(blob(`release ${made}`), 'hex'))
  return { id, domain, manifest, tree: manifest, files: 1, bytes: 1, aliases: [] }
}

interface World {
  readonly domains: readonly DomainReleases[]
  readonly wanted: readonly Release[]
  /** What each manifest names. */
  readonly files: ReadonlyMap<BlobHash, readonly BlobHash[]>
  /** Blobs on the disk, with their leases. */
  readonly blobs: ReadonlyMap<BlobHash, number>
}

function randomWorld(random: Random): World {
  const pool = Array.from({ length: 60 }, (_, i) => blob(`file ${i}`))
  const files = new Map<BlobHash, readonly BlobHash[]>()
  const wanted: Release[] = []
  const domains = Array.from({ length: 1 + random.integer(4) }, (_, i): DomainReleases => {
    const domain = `d${i}.example` as Hostname
    const releases = Array.from({ length: random.integer(70) }, (_, j) => {
      const manifest = blob(`manifest ${i} ${random.chance(0.1) ? 0 : j}`)
      if (!files.has(manifest)) files.set(manifest, random.shuffle(pool).slice(0, random.integer(6)))
      return newRelease(domain, manifest)
    })
    const isRemoved = random.chance(0.3)
    const live = isRemoved ? [] : releases.slice(0, 1 + random.integer(2))
    if (releases.length > 0 && random.chance(0.5)) wanted.push(random.pick(releases))
    const isPurged = random.chance(0.4)
    const purged = new Set(isPurged ? releases.filter(() => random.chance(0.5)).map(({ id }) => id) : [])
    const pending = isPurged ? [newRelease(domain, blob('x')).id] : []
    const removedMs = isRemoved ? NOW_MS - random.integer(2 * REMOVED_GRACE_MS) : undefined
    // Each was replaced by the one before it in the list, most of them long ago.
    let agoMs = 0
    const endedMs = new Map(
      releases.slice(1).map(({ id }) => {
        agoMs += random.integer(random.chance(0.1) ? OPEN_PAGE_MS : OPEN_PAGE_MS / 20)
        return [id, NOW_MS - agoMs]
      }),
    )
    return { domain, releases, endedMs, live, purged, pending, removedMs }
  })
  const here = [...pool, ...files.keys(), ...Array.from({ length: 10 }, (_, i) => blob(`stray ${i}`))]
  const lease = (): number => NOW_MS - 2 * LEASE_MS + random.integer(5 * LEASE_MS)
  return {
    domains,
    wanted,
    files,
    blobs: new Map(here.filter(() => random.chance(0.9)).map((hash) => [hash, lease()])),
  }
}

/** As a collector does it, in memory. */
function collect({ domains, wanted, files, blobs }: World, circumstances: Partial<CollectionCircumstances> = {}) {
  const time = { nowMs: NOW_MS, ...circumstances }
  const plan = planCollection(domains, wanted, time)
  const sieve = (releases: readonly Release[]) => {
    const filled = new HashSieve()
    for (const { manifest } of releases) for (const hash of [manifest, ...(files.get(manifest) ?? [])]) filled.add(hash)
    return filled
  }
  const needed = sieve(plan.whole)
  for (const hash of plan.manifests) needed.add(hash)
  const list = [...blobs].map(([hash, leasedMs]) => ({ hash, leasedMs }))
  return { plan, ...planSweep(list, { needed, purged: sieve(plan.purged) }, time) }
}

for (const seed of seeds(150)) {
  t.test(`what goes is needed by nothing, and what stays is needed or relied on (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const world = randomWorld(random)
    const { domains, wanted, files, blobs } = world
    const isDiskShort = random.chance(0.2)
    const { drop, restart, plan } = collect(world, { isDiskShort })

    // The rule as the design has it, release by release.
    const protectedBlobs = new Set<BlobHash>()
    const protect = (release: Release, whole: boolean): void => {
      protectedBlobs.add(release.manifest)
      if (whole) for (const hash of files.get(release.manifest) ?? []) protectedBlobs.add(hash)
    }
    const goes = new Set<BlobHash>()
    for (const release of wanted) protect(release, true)
    for (const { releases, endedMs, live, purged, removedMs } of domains) {
      for (const release of live) protect(release, true)
      const standing = releases.filter(({ id }) => !purged.has(id))
      const isOver = removedMs !== undefined && NOW_MS - removedMs >= REMOVED_GRACE_MS
      for (const [i, release] of standing.entries()) if (!isOver && i < 50) protect(release, i < 10)
      // A page that was opened within seven days may ask for the rest of its release, while there is room.
      for (const release of standing)
        if (!isOver && !isDiskShort && NOW_MS - (endedMs.get(release.id) ?? NOW_MS) < 7 * 24 * HOUR_MS)
          protect(release, true)
      for (const { id, manifest } of releases)
        if (purged.has(id)) for (const hash of [manifest, ...(files.get(manifest) ?? [])]) goes.add(hash)
    }
    const dropped = new Set(drop)
    for (const [hash, leasedMs] of blobs) {
      const isRelied = NOW_MS - leasedMs < LEASE_MS
      const expected = !protectedBlobs.has(hash) && (goes.has(hash) || !isRelied)
      if (dropped.has(hash) !== expected) t.fail(`${hash} ${expected ? 'stays' : 'goes'}`)
    }
    t.ok(restart.every((hash) => !dropped.has(hash) && (blobs.get(hash) as number) > NOW_MS))

    const shuffled = collect(
      { ...world, domains: random.shuffle(domains), wanted: random.shuffle(wanted) },
      { isDiskShort },
    )
    t.same(new Set(shuffled.drop), dropped, 'in whatever order the domains come')
    const rest = new Map([...blobs].filter(([hash]) => !dropped.has(hash)))
    t.strictSame(collect({ ...world, blobs: rest }, { isDiskShort }).drop, [], 'once more finds nothing more')

    const distrusting = collect(world, { isClockTrusted: false })
    for (const hash of distrusting.drop) t.ok(goes.has(hash), 'while the clock is not trusted only a purge takes')

    const done = new Set<OperationId>(listCarriedOut(domains, plan))
    for (const { releases, purged, live, pending } of domains) {
      const held = releases.some(
        (release) => purged.has(release.id) && (live.includes(release) || wanted.includes(release)),
      )
      for (const id of pending) t.equal(done.has(id), !held, 'a purge is done when nothing that it took is served')
    }
  })

  t.test(`a sieve never denies what it was given (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const sieve = new HashSieve()
    const given = new Set<BlobHash>()
    for (let step = 0; step < 20; step++) {
      const hashes = Array.from({ length: random.integer(60) }, () => blob(`${random.integer(500)}`))
      for (const hash of hashes) given.add(hash)
      if (random.chance(0.5)) for (const hash of hashes) sieve.add(hash)
      else sieve.addAll(Buffer.concat(hashes.map((hash) => Buffer.from(hash, 'hex'))))
      const asked = blob(`${random.integer(1000)}`)
      t.equal(sieve.has(asked), given.has(asked))
    }
    t.ok([...given].every((hash) => sieve.has(hash)))
  })
}

t.test('leases hold for 48 hours, whatever clocks do', async (t) => {
  t.equal(judgeLease(NOW_MS - 48 * HOUR_MS + 1, NOW_MS), 'held')
  t.equal(judgeLease(NOW_MS - 48 * HOUR_MS, NOW_MS), 'ended')
  t.equal(judgeLease(NOW_MS + HOUR_MS, NOW_MS), 'held')
  t.equal(judgeLease(NOW_MS + HOUR_MS + 1, NOW_MS), 'ahead')
  let [wallMs, monotonicMs] = [NOW_MS, 0]
  const watch = new ClockWatch({ now: () => wallMs, monotonic: () => monotonicMs }, LEASE_MS)
  const pass = (wall: number, monotonic: number): boolean => {
    wallMs += wall
    monotonicMs += monotonic
    return watch.isTrusted()
  }
  t.equal(pass(100 * HOUR_MS, 100 * HOUR_MS), true, 'time that has passed')
  t.equal(pass(-100 * HOUR_MS, HOUR_MS), true, 'set back: nothing runs out by that')
  t.equal(pass(100 * HOUR_MS, HOUR_MS), false, 'set ahead')
  t.equal(pass(47 * HOUR_MS, 47 * HOUR_MS), false)
  t.equal(pass(HOUR_MS, HOUR_MS), true, 'as long as any lease can last')
})
