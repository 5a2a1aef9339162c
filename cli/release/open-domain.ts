import type { DomainView, OperationId } from '../../core/index.ts'
import { isPurged, listPurges } from '../../replication/local/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { requireDomain } from '../require-domain.ts'
import { listReleases, type PublishedRelease } from './published.ts'

/** A domain with its releases, newest first, and those of them that were taken back for good. */
export interface OpenDomain {
  readonly domain: DomainView
  readonly releases: readonly PublishedRelease[]
  readonly purged: ReadonlySet<OperationId>
}

/** Reads the releases of the domain that a person named. Throws MAKI_NOT_FOUND where there is no such domain. */
export async function openDomain(client: ClusterClient, typed: string): Promise<OpenDomain> {
  const { replica } = client.local
  const domain = requireDomain(client.state, typed)
  const releases = await listReleases(replica, domain.apex)
  const purges = await listPurges(replica, domain.apex)
  const purged = new Set(releases.map(({ operation }) => operation.id).filter((id) => isPurged(replica, id, purges)))
  return { domain, releases, purged }
}
