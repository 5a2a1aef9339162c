import { type BlobHash, type BlobReader, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { findHost } from '../message/index.ts'
import {
  describeNode,
  findSite,
  type HeaderFields,
  type Plan,
  type RefusalStatus,
  refuse,
  type SiteRequest,
} from '../respond/index.ts'
import type { Site, SiteTable } from '../site/index.ts'
import type { TransformResults } from '../transforms/index.ts'
import type { VariantReader } from '../variants/index.ts'
import { AccessLog, type AccessLogOptions, type AccessLogPorts, type Answered } from './access-log.ts'
import { Answerer, type AnswererOptions } from './answerer.ts'
import { type HttpCounters, newCounters } from './counters.ts'
import { type CountryOf, LocatedRequest } from './located-request.ts'
import { type Protocol, type RequestCounts, RequestMetrics } from './request-metrics.ts'
import { type AnswerStream, type SendPorts, sendPlan } from './send-plan.ts'
import { type ProxyOptions, TrustedProxies } from './trusted-proxies.ts'

export interface HandlerOptions extends AnswererOptions {
  readonly blobs: BlobReader
  /** Encodings that lie ready, and their bytes; undefined where none are made. */
  readonly variants?: VariantReader | undefined
  /** What transforms made of files; undefined where none are run. */
  readonly transforms?: TransformResults | undefined
  readonly log: Log
  readonly runtime: Runtime
  /** Requests over it get 503 at once. */
  readonly maxConcurrentRequests?: number | undefined
  /** How long a request may take to arrive, an answer to begin, and a client to take a fair part of a body. */
  readonly requestTimeoutMs?: number | undefined
  /** Where clients are; undefined where nothing is known of that. */
  readonly countryOf?: CountryOf | undefined
  /** Who is believed about the client behind it; nobody without it. */
  readonly proxies?: ProxyOptions | undefined
  /** Told of a blob that should be here and could not be read as a whole, so that it is looked after. */
  readonly onBlobFailed?: ((hash: BlobHash) => void) | undefined
  /** Which requests are told, and who takes the lines; none without it. */
  readonly access?: (AccessLogOptions & Pick<AccessLogPorts, 'write'>) | undefined
}

/** How an answer ended, and when its request had come: monotonic milliseconds, as `begin` gave them. */
export type Ended = Omit<Answered, 'durationMs'> & { readonly startedMs: number }

const OVERLOAD_RETRY_S = '1'

/**
 * What is done for each request, whatever it came by: counted, let in or turned away, answered, sent. One for all
 * listeners of a worker. A transport that writes by itself calls `begin`, `decide`, `answered` and `end`, each once and in
 * this order, and `tell` where `end` says so; one that has a stream for the answer calls `handle`.
 */
export class RequestHandler {
  readonly counters: HttpCounters = newCounters()
  readonly timeoutMs: number
  readonly #options: HandlerOptions
  readonly #answerer: Answerer
  readonly #proxies: TrustedProxies | undefined
  readonly #maxActive: number
  readonly #metrics = new RequestMetrics()
  readonly #access: AccessLog | undefined

  constructor(options: HandlerOptions) {
    const { access, runtime } = options
    this.#options = options
    this.#access = access && new AccessLog(access, { runtime, write: access.write })
    this.#answerer = new Answerer(options)
    this.#proxies = options.proxies && new TrustedProxies(options.proxies)
    this.timeoutMs = options.requestTimeoutMs ?? 60_000
    this.#maxActive = options.maxConcurrentRequests ?? 1024
  }

  /** The table of the moment. */
  get table(): SiteTable {
    return this.#options.table()
  }

  /** Of everything beside request and site that an answer is decided from: another number may mean another answer. */
  get epoch(): number {
    const { variants, transforms } = this.#options
    // Both only grow, and so does their sum.
    return (variants?.epoch ?? 0) + (transforms?.epoch ?? 0)
  }

  /** The next request would be turned away. */
  get isFull(): boolean {
    return this.counters.active >= this.#maxActive
  }

  /**
   * The site that answers for a Host header, where it alone decides the answers, together with the request and the epoch;
   * undefined where there is none, or another one may be asked.
   */
  findSite(header: string, table: SiteTable): { readonly host: string; readonly site: Site } | undefined {
    const host = findHost(header)
    const site = host === undefined ? undefined : findSite(host, table, this.#options.fallback)
    return host === undefined || site === undefined ? undefined : { host, site }
  }

  /** Counted since the start; a copy. */
  get counts(): { readonly requests: RequestCounts; readonly accessLinesDropped: number } {
    return { requests: this.#metrics.snapshot(), accessLinesDropped: this.#access?.dropped ?? 0 }
  }

  /** A request has come. Gives the moment, for `end`. */
  begin(): number {
    this.counters.requests++
    this.counters.active++
    return this.#options.runtime.monotonic()
  }

  /** Its answer; 503 where too many are under way. Never throws and never rejects. */
  decide(request: SiteRequest): Plan | Promise<Plan> {
    this.counters.decided++
    if (this.counters.active > this.#maxActive) {
      this.counters.overloaded++
      return this.refuse(request, 503, { 'retry-after': OVERLOAD_RETRY_S })
    }
    return this.consider(request)
  }

  /** As `decide`, for who only wants to know: nothing is counted. */
  consider(request: SiteRequest): Plan | Promise<Plan> {
    return this.#answerer.answer(this.#locate(request))
  }

  /** A connection from this address is one of a proxy that is believed. */
  isProxy(address: string | undefined): boolean {
    return this.#proxies?.has(address ?? '') ?? false
  }

  /** A plain refusal, for what a transport decides by itself. */
  refuse(request: { readonly method: string }, status: RefusalStatus, more: HeaderFields = {}): Plan {
    return refuse(request, status, { ...describeNode(this.#options), ...more })
  }

  /** The head of its answer is about to be sent. */
  answered(plan: Plan): void {
    this.counters.responses[Math.floor(plan.status / 100)]!++
    const { body, headers } = plan
    if (body.kind !== 'blob') return
    if (body.variant !== undefined) this.counters.variantHits++
    else if (typeof headers.vary === 'string' && headers.vary.includes('accept-encoding')) this.counters.variantMisses++
  }

  /** The blob of an answer could not be read as a whole. */
  failed(plan: Plan, error: unknown): void {
    const { log, onBlobFailed, transforms } = this.#options
    this.counters.blobFailures++
    const fault = error instanceof MakiError ? error.code : error instanceof Error ? error.message : String(error)
    if (plan.body.kind === 'blob') {
      const { hash, isResult } = plan.body
      if (isResult === true) transforms?.lost(hash)
      else onBlobFailed?.(hash)
    }
    log.warn('http.body-failed', { hash: plan.body.kind === 'blob' ? plan.body.hash : null, fault })
  }

  /**
   * Nothing more of the answer will be sent. `plan` is undefined where the client left before there was one. True: its
   * line is wanted, to be written by `tell`. Makes nothing.
   */
  end(plan: Plan | undefined, method: string, { protocol, startedMs, bytes, complete }: Ended): boolean {
    this.counters.active--
    if (!complete) this.counters.aborted++
    if (plan === undefined) return false
    const seconds = (this.#options.runtime.monotonic() - startedMs) / 1000
    this.#metrics.count(plan.of?.domain, method, plan.status, protocol, seconds, bytes)
    return this.#access?.wants(plan.status) ?? false
  }

  /** Writes the line of a request in the access log. */
  tell(request: SiteRequest, plan: Plan, ended: Ended): void {
    this.#access?.tell(this.#locate(request), plan, {
      ...ended,
      durationMs: this.#options.runtime.monotonic() - ended.startedMs,
    })
  }

  /**
   * Answers a request on a stream; the stream's `close` ends it. `decided` is what the transport answers by itself. Gives
   * the answer where it was decided at once.
   */
  handle(
    request: SiteRequest,
    response: AnswerStream,
    protocol: Protocol = 'http/1.1',
    decided?: Plan,
  ): Plan | undefined {
    const startedMs = this.begin()
    let answer: Plan | undefined
    response.once('close', () => {
      const complete = response.writableFinished
      const ended = { protocol, startedMs, bytes: complete ? bodyBytes(answer) : 0, complete }
      if (this.end(answer, request.method, ended) && answer !== undefined) this.tell(request, answer, ended)
    })
    // What goes wrong on the connection shows in 'close'; unheard, it would end the process.
    response.on('error', () => {})
    const send = (plan: Plan): void => {
      answer = plan
      // So that the next request is found behind what nobody read, and a client that sends before it reads comes to an end.
      request.content?.drop()
      this.#send(plan, response, {
        again: () => this.consider(request),
        begins: (begun) => {
          answer = begun
          this.answered(begun)
        },
      })
    }
    const plan = decided ?? this.decide(request)
    if (!(plan instanceof Promise)) {
      send(plan)
      return plan
    }
    void plan.then(send)
    return undefined
  }

  #locate(request: SiteRequest): SiteRequest {
    const { countryOf } = this.#options
    const from = this.#proxies === undefined ? request : this.#proxies.unwrap(request)
    return countryOf === undefined ? from : new LocatedRequest(from, countryOf)
  }

  #send(plan: Plan, response: AnswerStream, more: Pick<SendPorts, 'again' | 'begins'>): void {
    const { blobs, variants, transforms: results, runtime } = this.#options
    const base = describeNode(this.#options)
    const ports = { blobs, variants, results, runtime, timeoutMs: this.timeoutMs, base, ...more }
    sendPlan(plan, response, ports).catch((error: unknown) => this.failed(plan, error))
  }
}

/** What an answer has for a body, as its head says. */
export function bodyBytes(plan: Plan | undefined): number {
  return plan === undefined || plan.body.kind === 'none' ? 0 : Number(plan.headers['content-length'] ?? 0)
}
