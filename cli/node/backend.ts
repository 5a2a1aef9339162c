import {
  type BlobHash,
  findCluster,
  MakiError,
  type MemberKey,
  type Release,
  type StateDelta,
} from '../../core/index.ts'
import { parseExplainQuestion } from '../../dns/index.ts'
import type {
  AcceptReport,
  CertificatesReport,
  ClusterStatus,
  ControlBackend,
  ControlBlobs,
  ControlEvent,
  ControlLogs,
  ExplainParameters,
  OperationsPage,
} from '../../edge/index.ts'
import type {
  Activation,
  BlobFetcher,
  BlobStore,
  GossipService,
  ReleaseChecker,
  SharedReplica,
} from '../../replication/index.ts'
import { buildExplainReport, type ExplainReport } from '../explain-report.ts'
import { describeStandings } from '../operations/standings.ts'
import type { SeekerCounts } from './asset-seeker.ts'
import type { BlobCare } from './blob-care.ts'
import type { OrderCounts } from './certificate-metrics.ts'
import type { ComponentCounts } from './components/index.ts'
import type { Edge } from './edge-messages.ts'
import { reportMesh } from './mesh-report.ts'
import { formatMetrics } from './metrics.ts'
import type { NodeAliases } from './node-aliases.ts'
import type { NodeMesh } from './node-mesh.ts'
import type { NodePlaces } from './node-places.ts'
import type { NodeSeals } from './node-seals.ts'
import { foldUntil } from './past.ts'
import type { Presence } from './presence.ts'
import { listRequired } from './required-releases.ts'
import type { VariantCounts } from './variants/index.ts'

export interface BackendPorts {
  readonly shared: SharedReplica
  readonly blobs: BlobStore
  readonly edge: Edge
  readonly gossip: GossipService
  readonly presence: Presence
  readonly fetcher: BlobFetcher
  readonly checker: ReleaseChecker
  readonly seals: NodeSeals
  readonly activation: Activation
  readonly care: BlobCare
  readonly seeker: { readonly counts: SeekerCounts }
  /** Undefined where this node answers no DNS. */
  readonly aliases: NodeAliases | undefined
  /** The same. */
  readonly places: NodePlaces | undefined
  /** Undefined where no encodings are made. */
  readonly variants?: { readonly counts: VariantCounts } | undefined
  readonly components: { readonly counts: ComponentCounts | undefined }
  readonly mesh?: Pick<NodeMesh, 'status' | 'refused'>
  /** Undefined where this node gets no certificates. */
  readonly duties?: { readonly report: CertificatesReport; readonly counts: OrderCounts } | undefined
  /** Undefined where none is kept. */
  readonly logs?: ControlLogs | undefined
  readonly self: MemberKey
}

/** Enough for one round trip to be worth it, small enough to hold in memory. */
const PAGE_OPERATIONS = 1000
/** How many missing blobs an error names. */
const NAMED = 3

/** What the control API does on a node. */
export class NodeBackend implements ControlBackend {
  readonly blobs: ControlBlobs
  readonly seals: NodeSeals
  readonly logs: ControlLogs | undefined
  readonly #ports: BackendPorts

  constructor(ports: BackendPorts) {
    this.#ports = ports
    this.seals = ports.seals
    this.logs = ports.logs
    const { blobs } = ports
    this.blobs = {
      size: (hash) => blobs.size(hash),
      read: (hash) => blobs.read(hash),
      stream: (hash, range) => blobs.stream(hash, range),
      // Who is told that a blob is here relies on it until its release is published.
      missing: (hashes) => blobs.renew(hashes),
      put: (hash, bytes) => blobs.put(hash, bytes),
      putPack: (pack) => blobs.putPack(pack),
    }
  }

  async status(): Promise<ClusterStatus> {
    const { shared, presence, aliases, places, mesh, duties, self } = this.#ports
    const { replica } = shared
    const tunnels = mesh?.status()
    return {
      cluster: { id: replica.cluster, name: findCluster(replica.state)?.name ?? '' },
      self,
      nodes: presence.nodes(),
      ...describeStandings(replica),
      ...(replica.damaged === undefined ? {} : { damaged: replica.damaged }),
      ...(aliases === undefined ? {} : { aliases: aliases.status() }),
      ...(places === undefined ? {} : { places: places.status }),
      ...(tunnels === undefined ? {} : { mesh: reportMesh(tunnels) }),
      ...(duties === undefined ? {} : { certificates: duties.report }),
    }
  }

  async state(at?: string): Promise<StateDelta> {
    const { replica } = this.#ports.shared
    return at === undefined ? replica.snapshot() : (await foldUntil(replica, at)).state.snapshot()
  }

  async explain(typed: ExplainParameters): Promise<ExplainReport> {
    const { shared, edge, presence, aliases, self } = this.#ports
    const explanation = await edge.explain(parseExplainQuestion(typed))
    const node = presence.nodes().find(({ key }) => key === self)?.name ?? ''
    return buildExplainReport(explanation, { node, state: shared.replica.state, aliases: aliases?.status() ?? [] })
  }

  async accept(operations: readonly Uint8Array[]): Promise<AcceptReport> {
    const { shared, care } = this.#ports
    using pins = new DisposableStack()
    // Nothing is done for what a stranger sent, or somebody forged.
    return await shared.replica.submit(operations, async (fresh) => {
      const releases = listRequired(fresh)
      // From before the look until the state has taken them in, nothing that they need can go.
      pins.use(care.collector.pin(releases))
      for (const release of releases) await this.#requireBlobs(release)
    })
  }

  operations(after: string | undefined): Promise<OperationsPage> {
    return this.#ports.shared.replica.page(after, PAGE_OPERATIONS)
  }

  subscribe(listener: (event: ControlEvent) => void): () => void {
    const { shared, presence } = this.#ports
    const unsubscribe = [
      shared.replica.events.on('stored', ({ operations }) =>
        listener({ event: 'operations', ids: operations.map(({ id }) => id) }),
      ),
      presence.events.on('change', (nodes) => listener({ event: 'nodes', nodes })),
    ]
    return () => {
      for (const end of unsubscribe) end()
    }
  }

  async metrics(): Promise<string> {
    const { shared, edge, gossip, presence, fetcher, care, activation, aliases, places, variants, seeker, self } =
      this.#ports
    const { components, mesh, duties } = this.#ports
    const ends = this.seals.certificates.all.map(({ notAfterMs }) => notAfterMs)
    const tunnels = mesh?.status()
    return formatMetrics({
      operations: shared.replica.count,
      peersAvailable: presence.nodes().filter(({ up, key }) => up && key !== self).length,
      nodesUp: presence.nodes().filter(({ up }) => up).length,
      ...(await edge.counters()),
      fetched: { ...fetcher.counts },
      care: care.counts,
      damagedBlobs: care.damaged,
      unservable: activation.unservable().length,
      gossip: { ...gossip.counters },
      aliases: aliases?.counts,
      variants: variants?.counts,
      components: components.counts,
      sought: seeker.counts,
      placesBuiltAt: places?.database?.builtAt,
      mesh: tunnels === undefined ? undefined : { status: tunnels, refused: mesh?.refused ?? 0 },
      seals: { ...this.seals.keeper.counts, ...this.seals.certificates.counts },
      certificates: { orders: duties?.counts, firstEndMs: ends.length === 0 ? undefined : Math.min(...ends) },
    })
  }

  /** A release is taken only with everything that it serves, so that it can go live at once and others can fetch it. */
  async #requireBlobs(release: Release): Promise<void> {
    const check = await this.#ports.checker.check(release)
    if (check.kind === 'invalid')
      throw new MakiError('MAKI_OPERATION_REFUSED', `the release of ${release.domain} is refused: ${check.reason}`)
    if (check.kind === 'missing')
      throw missingBlobs(
        release.domain,
        check.blobs.map(({ hash }) => hash),
      )
  }
}

function missingBlobs(domain: string, hashes: readonly BlobHash[]): MakiError {
  const named = hashes.slice(0, NAMED).join(', ')
  const more = hashes.length > NAMED ? ` and ${hashes.length - NAMED} more` : ''
  return new MakiError(
    'MAKI_BLOB_MISSING',
    `the release of ${domain} names blobs that are not on this node: ${named}${more}`,
    {
      hint: 'Upload them first; maki sync does both.',
    },
  )
}
