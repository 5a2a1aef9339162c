import { isIP } from 'node:net'
import type { Hostname } from '../../core/index.ts'
import type { SiteTable } from './site-table.ts'

const LOCAL_SUFFIX = '.localhost'

/**
 * A fallback for a cluster on one computer (RFC 6761 section 6.3: `localhost` and all below it is the loopback):
 * `<host>.localhost` is that host's site, and `localhost` or an address is the only site where there is just one.
 */
export function findLocalDomain(host: string, table: SiteTable): Hostname | undefined {
  if (host.endsWith(LOCAL_SUFFIX)) return table.ownerOf(host.slice(0, -LOCAL_SUFFIX.length))
  if (host !== 'localhost' && isIP(host.replace(/^\[|\]$/g, '')) === 0) return undefined
  const domains = table.domains
  return domains.length === 1 ? domains[0] : undefined
}
