import {
  changedScopes,
  type Hostname,
  type Log,
  type Release,
  type Runtime,
  type StateDelta,
  StateTable,
} from '../../core/index.ts'
import { DnsProjection, type DnsServer, startDnsServer } from '../../dns/index.ts'
import { findLocalDomain, type HttpServer, SiteProjection, startHttpServer } from '../../edge/index.ts'
import { openBlobReader } from '../../replication/index.ts'
import type { Edge, EdgeAddresses, EdgeCounters, EdgeOptions } from './edge-messages.ts'

/** The tables and sockets of one worker: a mirror of the state, the two projections, and what answers from them. */
export class EdgeWorker implements Edge {
  readonly #state = new StateTable()
  readonly #dns: DnsProjection
  readonly #sites: SiteProjection
  readonly #owned = new AsyncDisposableStack()
  #dnsServer: DnsServer | undefined
  #httpServer: HttpServer | undefined

  private constructor(options: EdgeOptions, log: Log) {
    this.#dns = new DnsProjection(log)
    this.#sites = new SiteProjection({ blobs: openBlobReader(options.blobsDirectory), log })
  }

  /** Listens with empty tables: DNS refuses and HTTP knows no host until the first `apply`. */
  static async start(options: EdgeOptions, ports: { runtime: Runtime; log: Log }): Promise<EdgeWorker> {
    const worker = new EdgeWorker(options, ports.log)
    try {
      await worker.#listen(options, ports)
    } catch (error) {
      await worker.close()
      throw error
    }
    return worker
  }

  async #listen(
    { dns, http, node, blobsDirectory, reusePort }: EdgeOptions,
    ports: { runtime: Runtime; log: Log },
  ): Promise<void> {
    if (dns !== undefined) {
      this.#dnsServer = this.#owned.use(
        await startDnsServer({ ...ports, ...dns, reusePort, table: () => this.#dns.table }),
      )
    }
    if (http !== undefined) {
      const { localHosts, ...limits } = http
      this.#httpServer = this.#owned.use(
        await startHttpServer({
          ...ports,
          ...limits,
          node,
          reusePort,
          blobs: openBlobReader(blobsDirectory),
          table: () => this.#sites.table,
          fallback: localHosts ? findLocalDomain : undefined,
        }),
      )
    }
  }

  get addresses(): EdgeAddresses {
    return { dns: this.#dnsServer?.address, http: this.#httpServer?.address }
  }

  apply(delta: StateDelta): void {
    this.#state.apply(delta)
    const scopes = changedScopes(delta)
    this.#dns.refresh(this.#state, scopes)
    this.#sites.refresh(this.#state, scopes)
  }

  activate(domain: Hostname, release: Release | null): Promise<void> {
    return this.#sites.activate(domain, release)
  }

  async counters(): Promise<EdgeCounters> {
    return { dns: this.#dnsServer?.counters, http: this.#httpServer?.counters }
  }

  close(): Promise<void> {
    return this.#owned.disposeAsync()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
