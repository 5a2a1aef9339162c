import { findIssuer, type Runtime } from '../../core/index.ts'
import type { DaemonConfig } from '../config/index.ts'
import type { DnsOptions } from './edge-messages.ts'
import { listDatabases } from './geo-databases.ts'

const COOKIE_SECRET_BYTES = 16

/** What the workers' DNS is told, of `workers` that share the port. */
export function buildDnsOptions(
  { dns, acme, node }: Pick<DaemonConfig, 'dns' | 'acme' | 'node'>,
  workers: number,
  runtime: Pick<Runtime, 'randomBytes'>,
): DnsOptions {
  return {
    ...dns.addr,
    answers: dns.answers,
    authorities: listAuthorities(acme),
    places: { databases: listDatabases({ dns, node }), overrides: dns.geo_override },
    cookieSecret: Buffer.from(runtime.randomBytes(COOKIE_SECRET_BYTES)).toString('hex'),
    // The kernel spreads clients over the workers, and each counts what it sees.
    rateLimit: dns.rate_limit === 0 ? 0 : Math.max(1, Math.ceil(dns.rate_limit / Math.max(1, workers))),
    nsid: dns.nsid === '' ? undefined : dns.nsid,
    version: dns.version === '' ? undefined : dns.version,
  }
}

const DEFAULT_DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory'

/** None for a directory that nobody here knows: a CAA record of another authority would keep its own from issuing. */
function listAuthorities({ directory, caa_identities }: DaemonConfig['acme']): readonly string[] {
  if (caa_identities.length > 0) return caa_identities
  const authority = findIssuer(directory ?? DEFAULT_DIRECTORY)
  return authority === undefined ? [] : [authority]
}
