import { type BlobHash, type BlobReader, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { type Plan, refuse, type SiteRequest } from '../respond/index.ts'
import { Answerer, type AnswererOptions } from './answerer.ts'
import { type HttpCounters, newCounters } from './counters.ts'
import { type AnswerStream, sendPlan } from './send-plan.ts'

export interface HandlerOptions extends AnswererOptions {
  readonly blobs: BlobReader
  readonly log: Log
  readonly runtime: Runtime
  /** Requests over it get 503 at once. */
  readonly maxConcurrentRequests?: number | undefined
  /** How long a request may take to arrive, an answer to begin, and a client to take a fair part of a body. */
  readonly requestTimeoutMs?: number | undefined
  /** Told of a blob that should be here and could not be read as a whole, so that it is looked after. */
  readonly onBlobFailed?: ((hash: BlobHash) => void) | undefined
}

const OVERLOAD_RETRY_S = '1'

/**
 * What is done for each request, whatever it came by: counted, let in or turned away, answered, sent. One for all
 * listeners of a worker. A transport that writes by itself calls `begin`, `decide`, `answered` and `end`, each once and in
 * this order; one that has a stream for the answer calls `handle`.
 */
export class RequestHandler {
  readonly counters: HttpCounters = newCounters()
  readonly timeoutMs: number
  readonly #options: HandlerOptions
  readonly #answerer: Answerer
  readonly #maxActive: number

  constructor(options: HandlerOptions) {
    this.#options = options
    this.#answerer = new Answerer(options)
    this.timeoutMs = options.requestTimeoutMs ?? 60_000
    this.#maxActive = options.maxConcurrentRequests ?? 1024
  }

  /** A request has come. */
  begin(): void {
    this.counters.requests++
    this.counters.active++
  }

  /** Its answer; 503 where too many are under way. Never throws and never rejects. */
  decide(request: SiteRequest): Plan | Promise<Plan> {
    if (this.counters.active > this.#maxActive) {
      this.counters.overloaded++
      return refuse(request, 503, { 'makiatto-node': this.#options.node, 'retry-after': OVERLOAD_RETRY_S })
    }
    return this.#answerer.answer(request)
  }

  /** Its answer is about to be sent. */
  answered(plan: Plan): void {
    this.counters.responses[Math.floor(plan.status / 100)]!++
  }

  /** The blob of an answer could not be read as a whole. */
  failed(plan: Plan, error: unknown): void {
    const { log, onBlobFailed } = this.#options
    this.counters.blobFailures++
    const fault = error instanceof MakiError ? error.code : error instanceof Error ? error.message : String(error)
    if (plan.body.kind === 'blob') onBlobFailed?.(plan.body.hash)
    log.warn('http.body-failed', { hash: plan.body.kind === 'blob' ? plan.body.hash : null, fault })
  }

  /** Nothing more of it will be sent; `complete` when all of it was. */
  end(complete: boolean): void {
    this.counters.active--
    if (!complete) this.counters.aborted++
  }

  /** Answers a request on a stream; the stream's `close` ends it. */
  handle(request: SiteRequest, response: AnswerStream): void {
    this.begin()
    response.once('close', () => this.end(response.writableFinished))
    // What goes wrong on the connection shows in 'close'; unheard, it would end the process.
    response.on('error', () => {})
    const plan = this.decide(request)
    if (plan instanceof Promise) void plan.then((late) => this.#send(late, response))
    else this.#send(plan, response)
  }

  #send(plan: Plan, response: AnswerStream): void {
    const { blobs, runtime, node } = this.#options
    this.answered(plan)
    sendPlan(plan, response, { blobs, runtime, timeoutMs: this.timeoutMs, node }).catch((error: unknown) =>
      this.failed(plan, error),
    )
  }
}
