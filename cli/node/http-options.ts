import type { DaemonConfig } from '../config/index.ts'
import type { HttpOptions } from './edge-messages.ts'

/**
 * What the workers' HTTP is told, of `workers` that share the ports: each has its share of what the node may do at once.
 * The kernel spreads connections evenly, by a hash of both ends.
 */
export function buildHttpOptions({ web }: Pick<DaemonConfig, 'web'>, workers: number): HttpOptions {
  const share = (total: number): number => Math.max(1, Math.ceil(total / Math.max(1, workers)))
  return {
    ...web.http_addr,
    // A browser finds the sites of a cluster on this computer in clear, unless somebody wants more.
    https: web.local_hosts && !web.local_https ? undefined : web.https_addr,
    maxConcurrentRequests: share(web.max_concurrent_requests),
    requestTimeoutMs: web.request_timeout_secs * 1000,
    localHosts: web.local_hosts,
    proxies: web.trusted_proxies.length === 0 ? undefined : { networks: web.trusted_proxies, fields: web.proxy_fields },
    serverHeaders: web.server_headers,
    access:
      web.access_log === 0
        ? undefined
        : {
            share: web.access_log,
            linesPerSecond: share(web.access_log_lines_per_second),
            addresses: web.log_addresses,
          },
  }
}
