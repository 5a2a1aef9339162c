import {
  type BlobHash,
  changedScopes,
  type Hostname,
  type Log,
  MakiError,
  type Release,
  type Runtime,
  type StateDelta,
  StateTable,
  scopeKind,
} from '../../core/index.ts'
import {
  type AliasAddresses,
  type DnsServer,
  type ExplainQuestion,
  type Explanation,
  NameService,
  startDnsServer,
} from '../../dns/index.ts'
import {
  findLocalDomain,
  type GuestRunner,
  type HostCertificate,
  HttpChallenges,
  type HttpServer,
  ImageService,
  type Learnt,
  type Need,
  type NodeContext,
  SiteProjection,
  type SiteRequest,
  startHttpServer,
  VariantFolder,
} from '../../edge/index.ts'
import { openBlobReader } from '../../replication/index.ts'
import { readPlaceRules } from '../config/index.ts'
import { connectionLimit } from './connection-limit.ts'
import { EdgeGuests } from './edge-guests.ts'
import { EdgeLearner } from './edge-learner.ts'
import type { Edge, EdgeAddresses, EdgeCounters, EdgeOptions, Standings } from './edge-messages.ts'
import type { AskControl, EdgeRelease } from './edge-questions.ts'
import { EdgeTransforms } from './edge-transforms.ts'
import { buildNodeContext, listNodeAddresses } from './node-context.ts'
import { TlsKeeper } from './tls-keeper.ts'

/** A blob that is mended is mended by then; one that is not is told of again. */
const TELL_AGAIN_MS = 10_000

export interface EdgePorts {
  readonly runtime: Runtime
  readonly log: Log
  readonly onBlobFailed?: (hash: BlobHash) => void
  /** Answers what only control knows; without it nothing is known that is not here. */
  readonly ask?: AskControl
  /** Takes lines of the access log; see `AccessLogPorts`. */
  readonly writeLine?: (line: string) => boolean
  /** Runs components; without it none are run. */
  readonly runner?: GuestRunner
}

/** The tables and sockets of one worker: a mirror of the state, the two projections, and what answers from them. */
export class EdgeWorker implements Edge {
  readonly #state = new StateTable()
  readonly #names: NameService | undefined
  readonly #sites: SiteProjection
  readonly #challenges: HttpChallenges
  /** Undefined where no encodings are made. */
  readonly #variants: VariantFolder | undefined
  readonly #learner: EdgeLearner
  readonly #tls: TlsKeeper
  /** Undefined where no images are made. */
  readonly #images: ImageService | undefined
  /** Undefined where no components are run. */
  readonly #guests: EdgeGuests | undefined
  /** Undefined where no files are transformed. */
  readonly #transforms: EdgeTransforms | undefined
  /** What components are told of this node. */
  #context: NodeContext
  readonly #owned = new AsyncDisposableStack()
  #dnsServer: DnsServer | undefined
  #httpServer: HttpServer | undefined
  readonly #told = new Set<BlobHash>()
  #forget = (): void => {}

  readonly #options: EdgeOptions
  readonly #ports: { readonly runtime: Runtime; readonly log: Log }
  readonly #onBlobFailed: (hash: BlobHash) => void
  readonly #writeLine: ((line: string) => boolean) | undefined

  constructor(options: EdgeOptions, ports: EdgePorts) {
    this.#options = options
    this.#ports = { runtime: ports.runtime, log: ports.log }
    this.#onBlobFailed = ports.onBlobFailed ?? (() => {})
    this.#writeLine = ports.writeLine
    this.#names = options.dns && new NameService({ ...options.dns, ...this.#ports, readRules: readPlaceRules })
    const { variantsDirectory } = options
    this.#variants = variantsDirectory === undefined ? undefined : new VariantFolder(variantsDirectory)
    this.#context = { name: options.node, latitude: 0, longitude: 0 }
    const { ask = async () => null } = ports
    const stored = openBlobReader(options.blobsDirectory)
    const onBlobFailed = (hash: BlobHash) => this.#tell(hash)
    const context = () => this.#context
    const ownAddresses = () => listNodeAddresses(this.#state, options.node)
    this.#guests =
      options.guests &&
      this.#owned.use(
        new EdgeGuests(options.guests, {
          ...this.#ports,
          blobs: stored,
          context,
          ask,
          ownAddresses,
          contentTimeoutMs: options.http?.requestTimeoutMs,
        }),
      )
    const runner = ports.runner ?? this.#guests?.runner
    this.#transforms =
      options.transforms &&
      runner &&
      new EdgeTransforms(options.transforms, { ...this.#ports, blobs: stored, runner, context, ask, onBlobFailed })
    const blobs = this.#transforms?.blobs ?? stored
    this.#sites = new SiteProjection({ ...this.#ports, blobs: stored })
    this.#challenges = new HttpChallenges(ports.runtime)
    // On this computer nobody is sent to HTTPS, and no browser told to come by it for a year: the names are the world's.
    const secured = (names: ReadonlySet<string>) => options.http?.localHosts || this.#sites.setSecured(names)
    this.#tls = this.#owned.use(new TlsKeeper({ ...this.#ports, secured }))
    this.#images =
      options.images && this.#owned.use(new ImageService(options.images, { ...this.#ports, blobs, onBlobFailed }))
    this.#learner = new EdgeLearner({ blobs: stored, ask, runtime: ports.runtime })
  }

  /** `at` replaces the ports that the worker was made for. */
  async listen(at: EdgeOptions = this.#options): Promise<EdgeAddresses> {
    const { dns, http, node, blobsDirectory, reusePort } = at
    try {
      const service = this.#names
      if (dns !== undefined && service !== undefined) {
        await service.loadPlaces()
        this.#dnsServer = this.#owned.use(await startDnsServer({ ...this.#ports, ...dns, reusePort, service }))
      }
      if (http !== undefined) {
        await this.#images?.start()
        await this.#transforms?.service.start()
        const { localHosts, access, https, ...limits } = http
        const write = this.#writeLine
        const fallback = localHosts ? findLocalDomain : undefined
        const blobs = this.#transforms?.blobs ?? openBlobReader(blobsDirectory)
        const table = () => this.#sites.table
        this.#httpServer = this.#owned.use(
          await startHttpServer({
            ...this.#ports,
            ...limits,
            node,
            reusePort,
            blobs,
            variants: this.#variants,
            table,
            challenges: this.#challenges,
            tls: https && this.#tls.options(https),
            fallback,
            images: this.#images,
            transforms: this.#transforms?.service,
            functions: this.#guests !== undefined,
            countryOf: service && ((address) => service.countryOf(address)),
            learn: (need, request) => this.#learn(need, request),
            onBlobFailed: (hash) => this.#tell(hash),
            revalidate: localHosts,
            access: access && write && { ...access, write },
            maxConnections: connectionLimit(),
          }),
        )
        this.#tls.listens(this.#httpServer.https)
      }
    } catch (error) {
      await this.close()
      throw error
    }
    return { dns: this.#dnsServer?.address, http: this.#httpServer?.address, https: this.#httpServer?.https?.address }
  }

  apply(delta: StateDelta): void {
    this.#state.apply(delta)
    const scopes = changedScopes(delta)
    this.#names?.refresh(
      this.#state,
      scopes,
      delta.entries.map(([key]) => key),
    )
    this.#sites.refresh(this.#state, scopes)
    this.#challenges.refresh(this.#state, scopes)
    if ([...scopes].some((scope) => scopeKind(scope) === 'node'))
      this.#context = buildNodeContext(this.#state, this.#options.node)
  }

  async activate(domain: Hostname, release: Release | null): Promise<void> {
    this.#guests?.foresee(domain, release)
    await this.#sites.activate(domain, release)
    this.#transforms?.foresee(this.#sites.table.siteOf(domain)?.release)
  }

  async counters(): Promise<EdgeCounters> {
    const { counters: http, counts } = this.#httpServer ?? {}
    const { requests, accessLinesDropped = 0 } = counts ?? {}
    const images = this.#images && { ...this.#images.counters }
    return {
      dns: this.#dnsServer?.counters,
      http,
      images,
      guests: this.#guests?.counts,
      transforms: this.#transforms && structuredClone(this.#transforms.service.counters),
      assets: http && { ...this.#learner.counts },
      requests,
      accessLinesDropped,
      workers: { running: 0, died: 0 },
    }
  }

  async explain(question: ExplainQuestion): Promise<Explanation> {
    if (this.#names !== undefined) return this.#names.explain(question)
    throw new MakiError('MAKI_UNSUPPORTED', `${this.#options.node} answers no DNS`, {
      hint: 'Ask another node with --node.',
    })
  }

  setStandings(standings: Standings): void {
    this.#names?.setStandings(new Map(standings))
  }

  setAliases(addresses: readonly AliasAddresses[]): void {
    this.#names?.setAliases(addresses)
  }

  setCertificates(certificates: readonly HostCertificate[]): void {
    this.#tls.replace(certificates)
  }

  setTicketKeys(keys: Uint8Array): void {
    this.#tls.setTicketKeys(keys)
  }

  setVariants(records: Uint8Array): void {
    this.#variants?.table.apply(records)
  }

  setReleases(domain: Hostname, releases: readonly EdgeRelease[]): void {
    this.#learner.setReleases(domain, releases)
  }

  #learn(need: Need, request: SiteRequest): Promise<Learnt> {
    switch (need.kind) {
      case 'function':
        if (this.#guests !== undefined) return this.#guests.call(need, request)
        throw new MakiError('MAKI_UNSUPPORTED', 'no components are run here')
      case 'asset':
        return this.#learner.findAsset(need)
      case 'preview':
        return this.#learner.findPreview(need)
      case 'image':
        return this.#render(need)
      case 'transform':
        if (this.#transforms !== undefined) return this.#transforms.learn(need)
        throw new MakiError('MAKI_UNSUPPORTED', 'no files are transformed here')
      default:
        throw new MakiError('MAKI_UNSUPPORTED', `nothing here finds out about a ${need.kind}`)
    }
  }

  async #render(need: Extract<Need, { kind: 'image' }>): Promise<Learnt> {
    if (this.#images === undefined) throw new MakiError('MAKI_UNSUPPORTED', 'no images are made here')
    return { image: await this.#images.render(need.job, need) }
  }

  reloadPlaces(): void {
    void this.#names?.loadPlaces()
  }

  /** Once in a while for each blob, however many visitors ask for it. */
  #tell(hash: BlobHash): void {
    // What transforms made is no blob of a release: it is made again here.
    if (this.#transforms?.service.sizeOf(hash) !== undefined) {
      this.#transforms.service.lost(hash)
      return
    }
    if (this.#told.has(hash)) return
    if (this.#told.size === 0) this.#forget = this.#ports.runtime.after(TELL_AGAIN_MS, () => this.#told.clear())
    this.#told.add(hash)
    this.#onBlobFailed(hash)
  }

  close(): Promise<void> {
    this.#forget()
    this.#names?.close()
    return this.#owned.disposeAsync()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
