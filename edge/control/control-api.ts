import type {
  AddressFamily,
  Basis,
  BlobHash,
  BlobReader,
  ClusterId,
  MemberKey,
  OperationId,
  SealedThing,
  Service,
  Standing,
  StateDelta,
  Votes,
} from '../../core/index.ts'
import type { ControlLogs } from './control-logs.ts'
import type { MeshReport, NodeMeshStatus } from './control-mesh.ts'
import type { ControlSeals } from './control-seals.ts'

/** What the control API needs of the node behind it; `cli/node.ts` wires the real one. */
export interface ControlBackend {
  status(): Promise<ClusterStatus>
  /** The folded state, now or as it was at an operation or a time (`at` as typed by the user). */
  state(at?: string): Promise<StateDelta>
  /**
   * Takes operations that were made elsewhere. Resolves when all that are new are durable here: that is the
   * acknowledgement. Nothing of the batch is stored when one of it is refused (MAKI_OPERATION_INVALID,
   * MAKI_OPERATION_REFUSED, or MAKI_BLOB_MISSING for a release whose blobs are not all here).
   */
  accept(operations: readonly Uint8Array[]): Promise<AcceptReport>
  /** Stored operations in the order of arrival here, after a cursor of this node; from the start where it is unknown. */
  operations(after: string | undefined): Promise<OperationsPage>
  /** Calls for every event until the returned function is called. */
  subscribe(listener: (event: ControlEvent) => void): () => void
  /** Why a DNS question is answered as it is: plain data, whose shape is the backend's. Throws MAKI_INVALID for what is no question. */
  explain(question: ExplainParameters): Promise<object>
  readonly blobs: ControlBlobs
  readonly seals: ControlSeals
  /** Undefined where none is kept. */
  readonly logs?: ControlLogs | undefined
  /** Prometheus text format 0.0.4. */
  metrics(): string | Promise<string>
}

/** A DNS question as it was typed. */
export interface ExplainParameters {
  readonly name: string
  readonly type: string
  /** An address or a network. */
  readonly client: string | undefined
  /** Whose address the question comes from. */
  readonly resolver: string | undefined
}

export interface ControlBlobs extends BlobReader {
  /** Those of `hashes` that are not whole on this node. */
  missing(hashes: readonly BlobHash[]): Promise<BlobHash[]>
  /** Resolves when the bytes are durable; throws MAKI_BLOB_MISMATCH when they are not what the hash says. Idempotent. */
  put(hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void>
  /** Takes many blobs in one stream (see `replication/blob-pack.ts`); resolves with their number when all are durable. */
  putPack(pack: AsyncIterable<Uint8Array>): Promise<number>
}

export interface AcceptReport {
  readonly accepted: readonly OperationId[]
  /** Already here before. */
  readonly known: readonly OperationId[]
}

export interface OperationsPage {
  readonly operations: readonly Uint8Array[]
  /** Pass it back to get what came later. Names this store: another node, or a new store, answers from the start. */
  readonly cursor: string
  readonly more: boolean
}

export interface ClusterStatus {
  readonly cluster: { readonly id: ClusterId; readonly name: string }
  /** The node that answers. */
  readonly self: MemberKey
  readonly nodes: readonly NodeStatus[]
  /** Operations that wait for heads that are not here. */
  readonly pending: readonly OperationId[]
  /** Operations whose stamp lies ahead of this node's clock, not yet folded. */
  readonly held: readonly OperationId[]
  /** When each of them falls due by this node's clock, ISO 8601; nodes of older versions do not say. */
  readonly due?: Readonly<Record<string, string>>
  readonly void: readonly { readonly operation: OperationId; readonly reason: string }[]
  /** Operations of a newer schema than this node knows. */
  readonly unknown: readonly OperationId[]
  readonly conflicts: readonly ConflictSummary[]
  /** Secrets that a removed machine may know; to be changed where they come from. */
  readonly exposed: readonly SealedThing[]
  /** What the store of this node lost, until it has compared with another node; absent when it is whole. */
  readonly damaged?: { readonly readable: number; readonly lost: number; readonly gone?: true }
  /** What the targets of ALIAS records resolve to at this node; absent where it answers no DNS. */
  readonly aliases?: readonly AliasStatus[]
  /** What says where clients are; absent where no DNS is answered. */
  readonly places?: PlacesStatus
  /** The mesh as this node sees it; absent where it has none. */
  readonly mesh?: MeshReport
  /** What keeps names from having certificates, as this node sees it; absent where it gets none. */
  readonly certificates?: CertificatesReport
}

/** What is to be said of certificates that are not there, or not ordered now. */
export interface CertificatesReport {
  /** Names that none is got for, and why, in a sentence that says what to do. */
  readonly uncovered: readonly { readonly name: string; readonly code: string; readonly reason: string }[]
  readonly waiting: readonly {
    readonly name: string
    readonly code: string
    readonly reason: string
    /** When it is tried again, ISO 8601; null where something else has to happen first. */
    readonly next: string | null
  }[]
}

/** How a node knows where clients are. */
export interface PlacesStatus {
  /** Of the database in use; absent where none can be read. */
  readonly type?: string
  /** When it was made, ISO 8601; absent where none can be read. */
  readonly built?: string
  /** Why files that the node is to read are not in use, or are as they were before; absent where all are. */
  readonly faults?: readonly string[]
}

/** The target of an ALIAS record, as the node that answers knows it. */
export interface AliasStatus {
  /** Without the final dot. */
  readonly target: string
  /** What is answered. */
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
  /** When that was resolved, ISO 8601; null before the first time. */
  readonly since: string | null
  /** Why it is not looked up well now, and since when; what was resolved last is answered meanwhile. */
  readonly failing: { readonly since: string; readonly reason: string } | null
  /** Addresses of the target that are not public, and so are not answered. */
  readonly refused: readonly string[]
}

export interface ConflictSummary {
  readonly key: string
  readonly winner: OperationId
  readonly losers: readonly OperationId[]
}

export interface NodeStatus {
  readonly key: MemberKey
  readonly name: string
  readonly up: boolean
  /** Short form of (fold version, ids, state); equal digests are equal nodes. Null when the node was not heard. */
  readonly digest: string | null
  readonly heads: readonly OperationId[]
  /** How old the last word from this node is, milliseconds; 0 for the node that answers, null when it was never heard. */
  readonly lagMs: number | null
  readonly version: string | null
  /** Which release each domain serves there; a domain without an active release is absent. */
  readonly active: Readonly<Record<string, OperationId>>
  /** Of the domains that serve a merge of concurrent releases there: the releases that it was made from, greatest first. */
  readonly merged: Readonly<Record<string, readonly OperationId[]>>
  /** Releases that should be served there and cannot be completed now; the one before stays. The first ones of many. */
  readonly unservable: readonly UnservableRelease[]
  /** Files on its disk that were found damaged, and that no other node has given back yet. */
  readonly damagedBlobs: number
  /** How its computer is, in steps of a twentieth; null and absent where it has not said. */
  readonly host?: HostStatus | null
  /** What went wrong with its visitors lately; null and absent where it has not said. */
  readonly trouble?: TroubleStatus | null
  /** How its mesh is; null and absent where it has none, or has not said. */
  readonly mesh?: NodeMeshStatus | null
  /** What the node that answers concludes of its addresses; empty where health is off. Older versions say nothing. */
  readonly health?: readonly HealthVerdict[]
  /** It lacks operations that the node that answers had ten minutes ago. */
  readonly behind?: boolean
  /** Two machines speak with its key; absent where the node that answers has heard of one alone. */
  readonly cloned?: boolean
  /** Where it said that it listens; how it is found on addresses that many nodes share. */
  readonly serves?: {
    readonly dns?: number | undefined
    readonly http?: number | undefined
    readonly https?: number | undefined
  }
}

export interface HostStatus {
  /** Fractions that are used, 0 to 1. */
  readonly memory: number
  readonly disk: number
  /** Of five minutes, for each processor. */
  readonly load: number
}

/** What went wrong lately; all 0 where nothing did. */
export interface TroubleStatus {
  /** Requests refused for being too many, of the last five minutes; about. */
  readonly refused: number
  /** Edge workers that ended unasked, of the last hour. */
  readonly workersDied: number
  /** Certificates that it cannot serve. */
  readonly certificates: number
  /** Components of served releases that it cannot run, each with its domain, its path and why; the first few. */
  readonly components?: readonly string[]
}

/** What a node concludes of one service at one public address, and why. */
export interface HealthVerdict {
  readonly family: AddressFamily
  readonly service: Service
  readonly address: string
  readonly standing: Standing
  /** When it got this standing, ISO 8601. */
  readonly since: string
  /** Absent while it is up. */
  readonly reason?: string
  /** How many nodes that were heard see it so. */
  readonly votes: Votes
  readonly basis: Basis
}

export interface UnservableRelease {
  readonly domain: string
  readonly release: OperationId
  /** Blobs that no node has now; they are asked for again and again. */
  readonly missing: number
  /** What is wrong where it is more than missing blobs. */
  readonly reason?: string | undefined
}

export type ControlEvent =
  /** Operations were stored here. */
  | { readonly event: 'operations'; readonly ids: readonly OperationId[] }
  /** What is known of the nodes changed: one came, went, or switched a release. */
  | { readonly event: 'nodes'; readonly nodes: readonly NodeStatus[] }

/** Paths of the control API; what each takes and gives stands beside its types below. Errors are ErrorShape as JSON. */
export const CONTROL_PATHS = {
  /** GET: ClusterStatus as JSON. */
  status: '/v1/status',
  /** GET, with `?at=` for a time or an operation: StateDelta as JSON. */
  state: '/v1/state',
  /**
   * POST: a MessagePack array of binaries (`encodeOperationBatch`), answered by AcceptReport as JSON. GET with
   * `?after=<cursor>`: OperationsPage in MessagePack (`decodeOperationsPage`).
   */
  operations: '/v1/operations',
  /** GET: server-sent events, `event:` the name and `data:` the whole ControlEvent as JSON; comments in between. */
  events: '/v1/events',
  /**
   * GET with maybe `?domain=`, `?function=` and `?after=<cursor>`: LogReport as JSON, oldest first. With `&follow=1` server-sent
   * events instead, `id:` the cursor and `data:` the line; what is kept first, then what comes.
   */
  logs: '/v1/logs',
  /** POST: MissingRequest, answered by MissingReport, both JSON. */
  blobsMissing: '/v1/blobs/missing',
  /** POST: a blob pack as a stream, answered by PackReport as JSON. */
  blobsPack: '/v1/blobs/pack',
  /** With `/<sha256>` behind it. PUT: the bytes as a stream, answered by 204. GET: the bytes, or 404 where they are not here. */
  blobs: '/v1/blobs',
  /** POST without a body, answered by EpochReport as JSON. */
  sealsEpoch: '/v1/seals/epoch',
  /** POST: SameRequest, answered by SameReport, both JSON. */
  sealsSame: '/v1/seals/same',
  /** GET with `?name=`, `?type=` and maybe `?client=` and `?resolver=`: a JSON object. */
  dnsExplain: '/v1/dns/explain',
  /** GET: Prometheus text. */
  metrics: '/metrics',
} as const

export interface MissingRequest {
  readonly hashes: readonly BlobHash[]
}

export interface MissingReport {
  readonly missing: readonly BlobHash[]
}

export interface PackReport {
  /** How many blobs of the pack are durable now. */
  readonly stored: number
}

export const MESSAGEPACK_TYPE = 'application/vnd.msgpack'

/** What one request may carry; a client with more sends several. */
export const CONTROL_LIMITS = {
  batchOperations: 10_000,
  batchBytes: 32 * 1024 * 1024,
  missingHashes: 100_000,
} as const
