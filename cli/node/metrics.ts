import type { AliasCounts, DnsCounters } from '../../dns/index.ts'
import type { HttpCounters } from '../../edge/index.ts'

export interface NodeCounts {
  readonly operations: number
  readonly nodesUp: number
  readonly dns: DnsCounters | undefined
  readonly http: Readonly<HttpCounters> | undefined
  readonly fetched: Readonly<Record<string, number>>
  /** What was done to keep blobs right, by event. */
  readonly care: Readonly<Record<string, number>>
  readonly damagedBlobs: number
  readonly unservable: number
  readonly gossip: Readonly<Record<string, unknown>>
  readonly aliases: AliasCounts | undefined
  /** When the database of places was made, milliseconds since the Unix epoch. */
  readonly placesBuiltAt: number | undefined
  /** Of seals and the certificates that they hold. */
  readonly seals: {
    readonly epochsHeld: number
    readonly grantsRefused: number
    readonly dutiesDone: number
    readonly open: number
    readonly unusable: number
  }
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

/** Prometheus text format 0.0.4. Label values come from fixed sets, so the number of series is bounded. */
export function formatMetrics(counts: NodeCounts): string {
  const { dns, http } = counts
  const lines: string[] = []
  const metric = (name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]) => {
    if (samples.length === 0) return
    lines.push(`# HELP makiatto_${name} ${help}`, `# TYPE makiatto_${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`makiatto_${name}${formatLabels(labels)} ${value}`)
  }
  metric('operations', 'gauge', 'Operations stored.', [[{}, counts.operations]])
  metric('nodes_up', 'gauge', 'Nodes heard within the last 15 seconds, this one included.', [[{}, counts.nodesUp]])
  if (dns !== undefined) {
    metric('dns_queries_total', 'counter', 'DNS messages answered, by transport.', byLabel('transport', dns.queries))
    metric('dns_responses_total', 'counter', 'DNS answers, by response code.', byLabel('rcode', dns.rcodes))
    metric('dns_malformed_total', 'counter', 'DNS messages that break the format.', [[{}, dns.malformed]])
    metric('dns_dropped_total', 'counter', 'DNS messages that got no answer.', [[{}, dns.dropped]])
    metric('dns_rate_limited_total', 'counter', 'DNS answers over the limit for one network, by what became of them.', [
      [{ action: 'cut' }, dns.limited.cut],
      [{ action: 'dropped' }, dns.limited.dropped],
    ])
    metric('dns_failed_total', 'counter', 'DNS messages that our own code failed on.', [[{}, dns.failed]])
    metric('dns_connections_shed_total', 'counter', 'DNS connections closed for being too many.', [[{}, dns.shed]])
  }
  const { aliases } = counts
  if (aliases !== undefined) {
    metric('alias_targets', 'gauge', 'Targets of ALIAS records, by how their last lookup went.', [
      [{ state: 'resolved' }, aliases.targets - aliases.failing - aliases.waiting],
      [{ state: 'failing' }, aliases.failing],
      [{ state: 'waiting' }, aliases.waiting],
    ])
    metric('alias_lookups_total', 'counter', 'Lookups of targets of ALIAS records, by outcome.', [
      [{ outcome: 'succeeded' }, aliases.succeeded],
      [{ outcome: 'failed' }, aliases.failed],
    ])
  }
  if (counts.placesBuiltAt !== undefined) {
    metric('places_built_seconds', 'gauge', 'When the database of places in use was made, as Unix time.', [
      [{}, counts.placesBuiltAt / 1000],
    ])
  }
  if (http !== undefined) {
    const classes = http.responses.map((value, digit): Sample => [{ status: `${digit}xx` }, value]).slice(1)
    metric('http_requests_total', 'counter', 'HTTP requests.', [[{}, http.requests]])
    metric('http_requests_active', 'gauge', 'HTTP requests under way.', [[{}, http.active]])
    metric('http_responses_total', 'counter', 'HTTP answers, by class of status.', classes)
    metric('http_aborted_total', 'counter', 'HTTP answers that ended before all was sent.', [[{}, http.aborted]])
    metric('http_malformed_total', 'counter', 'Bytes that were no HTTP request.', [[{}, http.malformed]])
    metric('http_overloaded_total', 'counter', 'Requests refused because too many were under way.', [
      [{}, http.overloaded],
    ])
    metric('blob_failures_total', 'counter', 'Blobs that were missing, short or too slow.', [[{}, http.blobFailures]])
  }
  metric(
    'blobs_fetched_total',
    'counter',
    'What fetching blobs from peers did, by outcome.',
    byLabel('outcome', counts.fetched),
  )
  metric('blobs_care_total', 'counter', 'What was done to keep blobs right, by event.', byLabel('event', counts.care))
  metric('blobs_damaged', 'gauge', 'Damaged blobs that no node has given back yet.', [[{}, counts.damagedBlobs]])
  metric('releases_unservable', 'gauge', 'Releases that should be served and cannot be completed.', [
    [{}, counts.unservable],
  ])
  const { seals } = counts
  metric('seal_epochs_held', 'gauge', 'Seal epochs that this node can open.', [[{}, seals.epochsHeld]])
  metric('seal_grants_refused_total', 'counter', 'Grants that did not open.', [[{}, seals.grantsRefused]])
  metric('seal_duties_total', 'counter', 'Epochs begun and granted by this node.', [[{}, seals.dutiesDone]])
  metric('certificates', 'gauge', 'Certificates, by whether they can be served.', [
    [{ state: 'open' }, seals.open],
    [{ state: 'unusable' }, seals.unusable],
  ])
  const gossip = Object.entries(counts.gossip).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  )
  metric('gossip_total', 'counter', 'What gossip did, by event.', byLabel('event', Object.fromEntries(gossip)))
  return `${lines.join('\n')}\n`
}

function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value])
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
