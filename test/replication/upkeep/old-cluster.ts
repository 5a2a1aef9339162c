import { join } from 'node:path'
import { type Hostname, type Release, silentLog } from '../../../core/index.ts'
import { BlobCollector, type BlobStore, type Replica } from '../../../replication/index.ts'
import { cluster } from '../chain.ts'
import type { FakeRuntime } from '../fake-runtime.ts'
import {
  buildSite,
  domainChange,
  openReplica,
  publishChange,
  releaseOf,
  type TestSite,
} from '../releases/release-support.ts'

const domain = 'example.com' as Hostname
const RELEASES = 60

/** A cluster that published a site 60 times, a week ago, the same in every process: one page and one picture change every time. */
export async function buildOldCluster() {
  const { replica, runtime } = await openReplica()
  await replica.commit(cluster.operator, [domainChange(domain)])
  const sites: TestSite[] = []
  const releases: Release[] = []
  for (let i = 0; i < RELEASES; i++) {
    const site = buildSite({ 'index.html': `page ${i}`, 'same.css': 'same', 'picture.png': `${i} `.repeat(2000) })
    sites.push(site)
    releases.push(releaseOf(await replica.commit(cluster.operator, [publishChange(domain, site)]), domain))
  }
  // No page is open of them any more.
  runtime.advance(7 * 24 * 3_600_000)
  return { replica, runtime, sites, releases }
}

export function createCollector(
  store: BlobStore,
  replica: Replica,
  runtime: FakeRuntime,
  directory: string,
  wanted: () => readonly Release[] = () => [],
): BlobCollector {
  const file = join(directory, 'collection.json')
  return new BlobCollector({ store, replica, served: wanted, wanted, file, runtime, log: silentLog })
}
