import { type Change, type Hostname, Manifest, type Operation, type Release, silentLog } from '../../../core/index.ts'
import { type BlobStore, createMemoryStore, encodePack, findPublished, Replica } from '../../../replication/index.ts'
import { createBlob, packItem, type TestBlob } from '../blob-support.ts'
import { cluster } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

/** Later than any file of a test was written: what nobody renewed has run out. */
export const LATE_MS = 4_000_000_000_000

export interface TestSite {
  readonly manifest: TestBlob
  readonly tree: string
  /** Path to content. */
  readonly files: ReadonlyMap<string, TestBlob>
}

export function buildSite(contents: Readonly<Record<string, string>>): TestSite {
  const files = new Map(Object.entries(contents).map(([path, text]) => [path, createBlob(Buffer.from(text))]))
  const encoded = Manifest.of([...files].map(([path, { hash, sizeBytes }]) => ({ path, hash, sizeBytes }))).encode()
  return { manifest: createBlob(encoded.bytes), tree: encoded.tree, files }
}

export const blobsOf = (site: TestSite): TestBlob[] => [site.manifest, ...site.files.values()]

export function publishChange(domain: Hostname, site: TestSite): Change {
  return {
    kind: 'release.publish',
    domain,
    manifest: site.manifest.hash,
    tree: site.tree as never,
    files: site.files.size,
    bytes: 0,
    aliases: [],
  }
}

export const domainChange = (domain: Hostname, onConcurrent: 'latest' | 'merge' = 'latest'): Change => ({
  kind: 'domain.set',
  domain,
  spa: false,
  onConcurrent,
  previews: true,
})

export async function putSite(store: BlobStore, site: TestSite): Promise<void> {
  await store.putPack(encodePack(blobsOf(site).map(packItem)))
}

/** A replica in memory with the cluster's first operation, and a clock that stands still late. */
export async function openReplica(nowMs = LATE_MS): Promise<{ replica: Replica; runtime: FakeRuntime }> {
  const runtime = new FakeRuntime(1, nowMs)
  const replica = await Replica.open({
    store: createMemoryStore(runtime),
    cluster: cluster.id,
    runtime,
    log: silentLog,
  })
  await replica.submit([cluster.creation.bytes])
  return { replica, runtime }
}

export function releaseOf(operation: Operation, domain: Hostname): Release {
  return findPublished(operation, domain) as Release
}
