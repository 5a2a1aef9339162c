import { type DnsCounters, QUERY_BOUNDS_S } from '../../dns/index.ts'
import {
  DURATION_BOUNDS_S,
  type HttpCounters,
  METHODS,
  PROTOCOLS,
  placeOf,
  type RequestCounts,
  SIZE_BOUNDS_BYTES,
  STATUS_CLASSES,
} from '../../edge/index.ts'
import type { MetricsText, Sample } from './metrics-text.ts'

export interface ServerCounts {
  readonly dns: DnsCounters | undefined
  readonly http: Readonly<HttpCounters> | undefined
  readonly requests: RequestCounts | undefined
  /** Other nodes that are heard. */
  readonly peersAvailable: number
}

/**
 * The metrics of the Rust Makiatto, by its names as Prometheus spells them, so that dashboards made for it go on: the only
 * ones without our prefix.
 */
export function writeServerMetrics(text: MetricsText, { dns, http, requests, peersAvailable }: ServerCounts): void {
  if (requests !== undefined) {
    const byProtocol = <T>(rows: readonly T[]) => rows.map((row, i) => [{ protocol: PROTOCOLS[i] ?? '' }, row] as const)
    text.counter(
      'server_request_count_total',
      'HTTP requests answered, by domain, method, class of status and protocol.',
      listRequests(requests),
    )
    text.histogram(
      'server_request_duration_seconds',
      'From the head of a request to the end of its answer.',
      DURATION_BOUNDS_S,
      byProtocol(requests.durations),
    )
    text.histogram('server_response_size_bytes', 'Bodies sent.', SIZE_BOUNDS_BYTES, byProtocol(requests.sizes))
  }
  if (http !== undefined) {
    text.counter('server_cache_requests_total', 'What caches were asked for, by whether they had it.', [
      [{ cache: 'memo', result: 'hit' }, http.requests - http.decided],
      [{ cache: 'memo', result: 'miss' }, http.decided],
      [{ cache: 'variant', result: 'hit' }, http.variantHits],
      [{ cache: 'variant', result: 'miss' }, http.variantMisses],
    ])
  }
  if (dns !== undefined) {
    const samples = Object.entries(dns.queries).map(([transport, count]): Sample => [{ transport }, count])
    text.counter('server_query_count_total', 'DNS messages answered, by transport.', samples)
    text.histogram('server_query_duration_seconds', 'How long DNS answers took to make.', QUERY_BOUNDS_S, [
      [{}, dns.durations],
    ])
  }
  text.gauge('server_peers_available', 'Other nodes heard within the last 15 seconds.', [[{}, peersAvailable]])
}

/** Combinations that never came are left out: most never do. */
function listRequests({ requests }: RequestCounts): Sample[] {
  const samples: Sample[] = []
  for (const [domain, counts] of Object.entries(requests)) {
    for (const [m, method] of METHODS.entries()) {
      for (const [s, status] of STATUS_CLASSES.entries()) {
        for (const [p, protocol] of PROTOCOLS.entries()) {
          const count = counts[placeOf(m, s, p)] ?? 0
          if (count > 0) samples.push([{ domain, method, status, protocol }, count])
        }
      }
    }
  }
  return samples
}
