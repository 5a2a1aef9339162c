import type { BlobHash, ErrorShape, Hostname, MemberKey, NodeStanding, Release, StateDelta } from '../../core/index.ts'
import type { AliasAddresses, DnsCounters, ExplainQuestion, Explanation, NameServiceOptions } from '../../dns/index.ts'
import type {
  AccessLogOptions,
  HostCertificate,
  HttpCounters,
  HttpServerOptions,
  ImageCounters,
  ImageServiceOptions,
  RequestCounts,
  TransformCounters,
  TransformServiceOptions,
} from '../../edge/index.ts'
import type { EdgeGuestCounts } from './edge-guests.ts'
import type { LearnerCounts } from './edge-learner.ts'
import type { EdgeAnswer, EdgeQuestion, EdgeRelease } from './edge-questions.ts'
import type { EdgeGuestOptions } from './guest-options.ts'

/** What an edge worker is started with; crosses a process boundary, so plain data only. */
export interface EdgeOptions {
  readonly node: string
  /** Where the blobs of this node lie; workers read them themselves. */
  readonly blobsDirectory: string
  /** Where encodings of them lie; undefined where none are made. */
  readonly variantsDirectory?: string | undefined
  /** Undefined: this part does not run. */
  readonly dns: DnsOptions | undefined
  readonly http: HttpOptions | undefined
  /** How images are made; undefined where they are not. */
  readonly images?: ImageServiceOptions | undefined
  /** How components are run; undefined where they are not. */
  readonly guests?: EdgeGuestOptions | undefined
  /** How files are transformed; undefined where they are not. */
  readonly transforms?: TransformServiceOptions | undefined
  /** SO_REUSEPORT: several workers own the same ports. */
  readonly reusePort: boolean
}

/** Where DNS listens, and what it answers with. */
export interface DnsOptions extends Omit<NameServiceOptions, 'log' | 'runtime' | 'readRules'> {
  readonly host: string
  readonly port: number
  /** The socket for TCP that a worker inherited; it is listened on instead. */
  readonly fd?: number | undefined
}

export interface HttpOptions {
  readonly host: string
  readonly port: number
  /** The socket that a worker inherited; it is listened on instead. */
  readonly fd?: number | undefined
  /** Where HTTPS is served, likewise; undefined where it is not. */
  readonly https?: { readonly host: string; readonly port: number; readonly fd?: number | undefined } | undefined
  readonly maxConcurrentRequests: number
  readonly requestTimeoutMs: number
  /** Proxies that are believed; undefined for none. */
  readonly proxies?: HttpServerOptions['proxies']
  /** See `RespondOptions`. */
  readonly serverHeaders?: boolean | undefined
  /** Development: `localhost` and addresses reach the only site, and browsers ask again for every file. */
  readonly localHosts: boolean
  /** Which requests are told in the log; none without it. */
  readonly access?: AccessLogOptions | undefined
}

export interface EdgeAddresses {
  readonly dns: { readonly host: string; readonly port: number } | undefined
  readonly http: { readonly host: string; readonly port: number } | undefined
  readonly https?: { readonly host: string; readonly port: number } | undefined
}

/** Counted since the worker started; undefined for a part that does not run. */
export interface EdgeCounters {
  readonly dns: DnsCounters | undefined
  readonly http: Readonly<HttpCounters> | undefined
  readonly requests: RequestCounts | undefined
  /** Undefined where no images are made. */
  readonly images?: Readonly<ImageCounters> | undefined
  /** Undefined where no components are run. */
  readonly guests?: EdgeGuestCounts | undefined
  /** Undefined where no files are transformed. */
  readonly transforms?: Readonly<TransformCounters> | undefined
  /** Of files of other releases; undefined where no HTTP runs. */
  readonly assets?: Readonly<LearnerCounts> | undefined
  /** Lines of the access log that were wanted and are not there. */
  readonly accessLinesDropped: number
  /** Workers that run, and those that ended unasked; none where the control process serves by itself. */
  readonly workers: { readonly running: number; readonly died: number }
}

/**
 * What control tells the edge. State travels as what changed; a release travels with its manifest's hash, and the worker
 * reads the blob.
 */
export type EdgeMessage =
  /** The first of all. */
  | { readonly type: 'begin'; readonly options: EdgeOptions }
  | { readonly type: 'listen'; readonly call: number; readonly options: EdgeOptions }
  | { readonly type: 'state'; readonly delta: StateDelta }
  | { readonly type: 'activate'; readonly call: number; readonly domain: Hostname; readonly release: Release | null }
  | { readonly type: 'standings'; readonly standings: Standings }
  /** All certificates of TLS, with their keys; each message replaces the one before. */
  | { readonly type: 'certificates'; readonly certificates: readonly HostCertificate[] }
  | { readonly type: 'ticket-keys'; readonly keys: Uint8Array }
  | { readonly type: 'aliases'; readonly addresses: readonly AliasAddresses[] }
  /** Encodings that came and went since the last one; a worker's first has all. */
  | { readonly type: 'variants'; readonly records: Uint8Array }
  /** The releases of a domain whose files are kept, newest first. */
  | { readonly type: 'releases'; readonly domain: Hostname; readonly releases: readonly EdgeRelease[] }
  | { readonly type: 'answer'; readonly ask: number; readonly answer: EdgeAnswer }
  /** Files of `places` have changed. */
  | { readonly type: 'reload-places' }
  | { readonly type: 'count'; readonly call: number }
  | { readonly type: 'explain'; readonly call: number; readonly question: ExplainQuestion }
  | { readonly type: 'stop' }

/** `NodeStandings` as it crosses a process boundary. */
export type Standings = readonly (readonly [MemberKey, NodeStanding])[]

export type EdgeReport =
  | { readonly type: 'done'; readonly call: number; readonly result: EdgeResult }
  | { readonly type: 'failed'; readonly call: number; readonly error: ErrorShape }
  /** Said every few seconds: the worker's event loop turns. `rssBytes`: its memory. */
  | { readonly type: 'alive'; readonly counters: EdgeCounters; readonly rssBytes: number }
  /** The worker waits for an `answer`. */
  | { readonly type: 'ask'; readonly ask: number; readonly question: EdgeQuestion }
  /** A blob of a release that is served could not be read as a whole. */
  | { readonly type: 'blob-failed'; readonly hash: BlobHash }

/** Addresses of `listen`, counters of `count`, an explanation of `explain`, nothing of `activate`. */
export type EdgeResult = EdgeAddresses | EdgeCounters | Explanation | undefined

/** DNS and HTTP of this node, wherever they run. Nobody is answered before `listen`, so that no answer comes from empty tables. */
export interface Edge extends AsyncDisposable {
  /** Opens the sockets, once. Rejects with MAKI_PORT_IN_USE or MAKI_CONFIG; nothing stays open then. */
  listen(): Promise<EdgeAddresses>
  /** Takes effect for every question and request that begins after it arrived. */
  apply(delta: StateDelta): void
  /**
   * Resolves when every worker serves it; rejects when one cannot, which then serves what it did. The last call for a
   * domain wins.
   */
  activate(domain: Hostname, release: Release | null): Promise<void>
  counters(): Promise<EdgeCounters>
  /**
   * Why a question is answered as it is, by one of those that answer. Rejects with MAKI_UNSUPPORTED where DNS does not
   * run, with MAKI_UNREACHABLE while no worker does.
   */
  explain(question: ExplainQuestion): Promise<Explanation>
  /** Replaces what is known of every node; in effect as `apply` is. */
  setStandings(standings: Standings): void
  /** Replaces what the targets of ALIAS records resolved to; in effect as `apply` is. */
  setAliases(addresses: readonly AliasAddresses[]): void
  /** Replaces the certificates that TLS shows; handshakes that begin after it arrived see them. Connections stay. */
  setCertificates(certificates: readonly HostCertificate[]): void
  /** Replaces the keys of session tickets, 48 bytes: sessions of the old ones are not resumed. */
  setTicketKeys(keys: Uint8Array): void
  /** Encodings that lie ready from now on or do no more, packed (`encodeVariantRecords`); in effect as `apply` is. */
  setVariants(records: Uint8Array): void
  /** Replaces what is known of a domain's kept releases, newest first; in effect as `apply` is. */
  setReleases(domain: Hostname, releases: readonly EdgeRelease[]): void
  /** Reads the files of `places` again; questions are answered from the old ones until that is done. */
  reloadPlaces(): void
  /** Answers what is under way, then ends. */
  close(): Promise<void>
}
