import type { Log, Runtime } from '../../core/index.ts'
import type { GuestFailure, GuestOutcome, GuestRunner } from '../guests/index.ts'
import { ContentRoom } from './content-room.ts'
import { AnswerEncoder } from './encode-answer.ts'
import type { CallerRequest, FunctionCall, FunctionOutcome } from './function-call.ts'
import { type CallFailure, type FunctionCounts, FunctionMetrics } from './function-metrics.ts'
import { buildGuestRequest } from './guest-request.ts'
import { readAnswer } from './read-answer.ts'

/** Of the content of one request. */
export const MAX_CONTENT_BYTES = 10 * 1024 * 1024
/** Of the content of all requests that functions of a worker have not answered yet. */
const MAX_HELD_BYTES = 64 * 1024 * 1024
const CONTENT_TIMEOUT_MS = 60_000
const TRACE_BYTES = 16
const RETRY_AFTER_S = 1
/** Functions whose lost fields were told of; others are not told of again either. */
const MAX_TOLD = 1000
const MAX_TOLD_NAMES = 10

export interface FunctionServiceOptions {
  readonly maxContentBytes?: number | undefined
  readonly maxHeldBytes?: number | undefined
  /** How long a client may take to send its content. */
  readonly contentTimeoutMs?: number | undefined
}

export interface FunctionPorts {
  readonly runner: GuestRunner
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly log: Log
}

type Failed = Extract<FunctionOutcome, { kind: 'failed' }>

/** Calls the functions of sites, and makes answers of what they say. */
export class FunctionService {
  readonly #ports: FunctionPorts
  readonly #maxContentBytes: number
  readonly #contentTimeoutMs: number
  readonly #room: ContentRoom
  readonly #encoder = new AnswerEncoder()
  readonly #metrics = new FunctionMetrics()
  readonly #told = new Set<string>()

  constructor(ports: FunctionPorts, options: FunctionServiceOptions = {}) {
    this.#ports = ports
    this.#maxContentBytes = options.maxContentBytes ?? MAX_CONTENT_BYTES
    this.#contentTimeoutMs = options.contentTimeoutMs ?? CONTENT_TIMEOUT_MS
    this.#room = new ContentRoom(options.maxHeldBytes ?? MAX_HELD_BYTES)
  }

  /** Counted since the start; a copy. */
  get counts(): FunctionCounts {
    return this.#metrics.snapshot()
  }

  /** Content of calls under way, in memory. */
  get heldBytes(): number {
    return this.#room.heldBytes
  }

  /** Reads the content, runs the function, reads its answer as hostile. Never rejects. */
  async call(call: FunctionCall, request: CallerRequest): Promise<FunctionOutcome> {
    const { runtime } = this.#ports
    const startedMs = runtime.monotonic()
    const trace = Buffer.from(runtime.randomBytes(TRACE_BYTES)).toString('hex')
    const outcome = await this.#run(call, request, trace).catch((error: unknown) => {
      // Our mistake, or that of whoever runs guests; the visitor and the others must not suffer from it.
      this.#ports.log.error('function.call-failed', { domain: call.domain, function: call.called.path, trace, error })
      return failure('died', trace)
    })
    const seconds = (runtime.monotonic() - startedMs) / 1000
    if (outcome.kind !== 'gone') this.#metrics.count(call.domain, call.called.path, outcome.status, seconds)
    return outcome
  }

  async #run(call: FunctionCall, request: CallerRequest, trace: string): Promise<FunctionOutcome> {
    using held = this.#room.enter(call.domain)
    const content = request.content && (await this.#read(request.content, (bytes) => held.take(bytes)))
    if (typeof content === 'string') return this.#refuse(content, trace)
    const input = { world: 'http', request: buildGuestRequest(call, request, content, trace) } as const
    const { domain, release, manifest, called } = call
    const ended = await this.#ports.runner.run({ domain, release, manifest, component: called, input, trace })
    this.#metrics.used(domain, ended.cpuMs)
    return await this.#settle(call, request, ended, trace)
  }

  async #read(
    content: NonNullable<CallerRequest['content']>,
    mayHold: (moreBytes: number) => boolean,
  ): Promise<Uint8Array | 'too-much' | 'slow' | 'full' | 'gone'> {
    // Before a byte of it is read.
    if ((content.lengthBytes ?? 0) > this.#maxContentBytes) return 'too-much'
    let isLate = false
    const cancel = this.#ports.runtime.after(this.#contentTimeoutMs, () => {
      isLate = true
      content.drop()
    })
    const read = await content.read(this.#maxContentBytes, mayHold).finally(cancel)
    switch (read) {
      case 'too-large':
        return 'too-much'
      case 'refused':
        return 'full'
      case 'gone':
        return isLate ? 'slow' : 'gone'
      default:
        return read
    }
  }

  #refuse(why: 'too-much' | 'slow' | 'full' | 'gone', trace: string): FunctionOutcome {
    this.#metrics.failed(why)
    return why === 'gone' ? { kind: 'gone' } : failure(why, trace)
  }

  async #settle(
    call: FunctionCall,
    request: CallerRequest,
    ended: GuestOutcome,
    trace: string,
  ): Promise<FunctionOutcome> {
    switch (ended.kind) {
      case 'failed':
        this.#metrics.failed(ended.why)
        return failure(ended.why, trace)
      case 'transformed':
        return this.#invalid(call, 'it answered as a transform does', trace)
      case 'answered': {
        const read = readAnswer(ended.response, request.method === 'HEAD')
        if (read.kind === 'invalid') return this.#invalid(call, read.reason, trace)
        const { dropped, ...answer } = read
        this.#tell(call, dropped)
        return await this.#encoder.encode({ ...answer, kind: 'answered', trace }, (name) => request.field(name))
      }
      default:
        return ended satisfies never
    }
  }

  #invalid({ domain, called }: FunctionCall, reason: string, trace: string): Failed {
    this.#metrics.failed('invalid')
    this.#ports.log.warn('function.answer-invalid', { domain, function: called.path, trace, reason })
    return failure('invalid', trace)
  }

  /** Once for each function, which may give other names each time: whoever sees one missing finds out why. */
  #tell({ domain, called }: FunctionCall, dropped: readonly string[]): void {
    if (dropped.length === 0) return
    const key = `${domain} ${called.path}`
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return
    this.#told.add(key)
    const headers = dropped.slice(0, MAX_TOLD_NAMES)
    this.#ports.log.warn('function.headers-dropped', { domain, function: called.path, headers })
  }
}

const STATUSES: Readonly<Record<Exclude<CallFailure, 'gone'>, Failed['status']>> = {
  'too-much': 413,
  slow: 408,
  full: 503,
  invalid: 500,
  trap: 500,
  memory: 500,
  'too-large': 500,
  unfit: 500,
  died: 500,
  timeout: 504,
  busy: 503,
  closed: 503,
} satisfies Record<GuestFailure | Exclude<CallFailure, 'gone'>, Failed['status']>

function failure(why: Exclude<CallFailure, 'gone'>, trace: string): Failed {
  const status = STATUSES[why]
  return { kind: 'failed', status, trace, ...(status === 503 ? { retryAfterS: RETRY_AFTER_S } : {}) }
}
