/** What a node counted of its visitors. */
export interface ServedCounts {
  /** HTTP requests answered. */
  readonly requests: number
  /** DNS messages answered. */
  readonly queries: number
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? ([0-9.eE+-]+)$/

/** Reads the counters out of the text format of Prometheus; what is not there counts 0. Pure. */
export function readServedCounts(metrics: string): ServedCounts {
  let requests = 0
  let queries = 0
  for (const line of metrics.split('\n')) {
    const [, name, text] = SAMPLE.exec(line) ?? []
    const value = Number(text)
    if (!Number.isFinite(value)) continue
    if (name === 'server_request_count_total') requests += value
    else if (name === 'server_query_count_total') queries += value
  }
  return { requests, queries }
}

/** Nodes ask each other this often or more seldom, as they are set up by the program. */
const PROBE_INTERVAL_MS = 10_000
/** Within a tenth; and a probe of before may fall into a span, too. */
const JITTER = 0.1

/**
 * How many HTTP requests of a span were surely no probes of other nodes, each of which asks each address for HTTP and, where
 * it is served, for HTTPS. Undefined where a counter went back: the node was started anew. Pure.
 */
export function countVisitors(
  before: ServedCounts,
  after: ServedCounts,
  span: { readonly ms: number; readonly otherNodes: number; readonly addresses: number },
): number | undefined {
  const requests = after.requests - before.requests
  if (requests < 0) return undefined
  const rounds = Math.floor(span.ms / (PROBE_INTERVAL_MS * (1 - JITTER))) + 1
  return Math.max(0, requests - rounds * span.otherNodes * span.addresses * 2)
}
