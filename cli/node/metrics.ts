import type { AliasCounts } from '../../dns/index.ts'
import { writeAssetMetrics } from './asset-metrics.ts'
import type { SeekerCounts } from './asset-seeker.ts'
import { type CertificateCounts, writeCertificateMetrics } from './certificate-metrics.ts'
import { writeComponentMetrics } from './component-metrics.ts'
import type { ComponentCounts } from './components/index.ts'
import type { EdgeCounters } from './edge-messages.ts'
import { writeGuestMetrics } from './guest-metrics.ts'
import { writeImageMetrics } from './image-metrics.ts'
import { type MeshCounts, writeMeshMetrics } from './mesh-metrics.ts'
import { MetricsText, type Sample } from './metrics-text.ts'
import { writeServerMetrics } from './server-metrics.ts'
import { writeTransformMetrics } from './transform-metrics.ts'
import type { VariantCounts } from './variants/index.ts'

export interface NodeCounts extends EdgeCounters {
  readonly operations: number
  readonly nodesUp: number
  /** Other nodes that are heard. */
  readonly peersAvailable: number
  readonly fetched: Readonly<Record<string, number>>
  /** What was done to keep blobs right, by event. */
  readonly care: Readonly<Record<string, number>>
  readonly damagedBlobs: number
  readonly unservable: number
  readonly gossip: Readonly<Record<string, unknown>>
  readonly aliases: AliasCounts | undefined
  /** Of what the edge asked this node to look for elsewhere. */
  readonly sought: Readonly<SeekerCounts>
  /** Undefined where no encodings are made. */
  readonly variants?: VariantCounts | undefined
  /** Undefined where none are made ready. */
  readonly components?: ComponentCounts | undefined
  /** When the database of places was made, milliseconds since the Unix epoch. */
  readonly placesBuiltAt: number | undefined
  /** Undefined without a mesh. */
  readonly mesh?: MeshCounts | undefined
  readonly certificates?: CertificateCounts | undefined
  /** Of seals and the certificates that they hold. */
  readonly seals: {
    readonly epochsHeld: number
    readonly grantsRefused: number
    readonly dutiesDone: number
    readonly open: number
    readonly unusable: number
  }
}

/** Prometheus text format 0.0.4. Label values come from fixed sets, so the number of series is bounded. */
export function formatMetrics(counts: NodeCounts): string {
  const { dns, http } = counts
  const text = new MetricsText()
  const metric = (name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]) =>
    text[type](`makiatto_${name}`, help, samples)
  writeServerMetrics(text, counts)
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
    metric('tls_handshakes_total', 'counter', 'TLS handshakes, by how they ended.', [
      [{ outcome: 'full' }, http.tlsHandshakes - http.tlsResumed],
      [{ outcome: 'resumed' }, http.tlsResumed],
      [{ outcome: 'failed' }, http.tlsFailed],
    ])
    metric('http2_connections_total', 'counter', 'HTTP/2 connections.', [[{}, http.http2Connections]])
    metric('http2_calmed_total', 'counter', 'HTTP/2 connections ended because they flooded.', [[{}, http.http2Calmed]])
    metric('access_log_dropped_total', 'counter', 'Lines of the access log that were wanted and are not there.', [
      [{}, counts.accessLinesDropped],
    ])
    metric('blob_failures_total', 'counter', 'Blobs that were missing, short or too slow.', [[{}, http.blobFailures]])
  }
  writeImageMetrics(metric, counts.images)
  writeGuestMetrics(text, counts.guests)
  writeTransformMetrics(text, counts.transforms)
  writeAssetMetrics(text, counts.assets, counts.sought)
  metric('workers', 'gauge', 'Edge workers that run; 0 where one process does all.', [[{}, counts.workers.running]])
  metric('workers_died_total', 'counter', 'Edge workers that ended unasked.', [[{}, counts.workers.died]])
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
  if (counts.variants !== undefined) {
    const { ready, bytes, waiting, ...events } = counts.variants
    metric('encodings', 'gauge', 'Encodings of files that lie ready.', [[{}, ready]])
    metric('encodings_bytes', 'gauge', 'What they take together.', [[{}, bytes]])
    metric('encodings_waiting', 'gauge', 'Files that are still to be looked at.', [[{}, waiting]])
    metric('encodings_total', 'counter', 'What became of encodings, by event.', byLabel('event', events))
  }
  writeComponentMetrics(text, counts.components)
  writeMeshMetrics(metric, counts.mesh)
  const { seals } = counts
  metric('seal_epochs_held', 'gauge', 'Seal epochs that this node can open.', [[{}, seals.epochsHeld]])
  metric('seal_grants_refused_total', 'counter', 'Grants that did not open.', [[{}, seals.grantsRefused]])
  metric('seal_duties_total', 'counter', 'Epochs begun and granted by this node.', [[{}, seals.dutiesDone]])
  metric('certificates', 'gauge', 'Certificates, by whether they can be served.', [
    [{ state: 'open' }, seals.open],
    [{ state: 'unusable' }, seals.unusable],
  ])
  if (counts.certificates !== undefined) writeCertificateMetrics(text, counts.certificates)
  const gossip = Object.entries(counts.gossip).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  )
  metric('gossip_total', 'counter', 'What gossip did, by event.', byLabel('event', Object.fromEntries(gossip)))
  return text.toString()
}

function byLabel(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value])
}
