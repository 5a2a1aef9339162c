import type {
  ErrorCode,
  FutureIncomingResponse as WasiFutureIncomingResponse,
  FutureTrailers as WasiFutureTrailers,
  IncomingBody as WasiIncomingBody,
  IncomingResponse as WasiIncomingResponse,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import { toHttpCode } from './http-code.ts'
import { Fields } from './http-fields.ts'
import { type InputSource, InputStream, StreamFailure } from './input-stream.ts'
import { type Instance, type Remote, Resource, refuseAnswer } from './instance.ts'
import { Pollable, READY, type Readiness } from './poll.ts'

type Result<T, E> = { tag: 'ok'; val: T } | { tag: 'err'; val: E }

/** The head of a response. */
export interface ResponseHead {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Where a request stands: its content is not whole yet, it is on its way, or it failed. */
export type Sending =
  | { readonly kind: 'unsent' }
  | { readonly kind: 'sent'; readonly remote: Remote }
  | { readonly kind: 'failed'; readonly code: ErrorCode }

/** `future-incoming-response` of wasi:http. Its result can be had once. */
export class FutureIncomingResponse extends Resource implements WasiFutureIncomingResponse {
  readonly #instance: Instance
  #sending: Sending = { kind: 'unsent' }
  #betweenBytesNs: bigint | undefined
  #head: ResponseHead | undefined
  #isTaken = false
  #isDropped = false

  constructor(instance: Instance, betweenBytesNs: bigint | undefined) {
    super(instance)
    this.#instance = instance
    this.#betweenBytesNs = betweenBytesNs
  }

  /** Once. */
  static advance(future: FutureIncomingResponse, sending: Sending): void {
    if (future.#isDropped && sending.kind === 'sent') sending.remote.release()
    else future.#sending = sending
  }

  /** Nobody waits for it any more. */
  static isDropped(future: FutureIncomingResponse): boolean {
    return future.#isDropped
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, () => this.#look())
  }

  get(): Result<Result<IncomingResponse, ErrorCode>, void> | undefined {
    if (this.#isTaken) return { tag: 'err', val: undefined }
    this.#fetch()
    const sending = this.#sending
    if (sending.kind === 'failed') {
      this.#isTaken = true
      return { tag: 'ok', val: { tag: 'err', val: sending.code } }
    }
    if (sending.kind === 'unsent' || this.#head === undefined) return undefined
    this.#isTaken = true
    const response = new IncomingResponse(this.#instance, sending.remote, this.#head, this.#betweenBytesNs)
    return { tag: 'ok', val: { tag: 'ok', val: response } }
  }

  protected override dropped(): void {
    this.#isDropped = true
    if (this.#sending.kind === 'sent') this.#sending.remote.release()
  }

  #look(): Readiness {
    switch (this.#sending.kind) {
      case 'unsent':
        return { kind: 'never' }
      case 'failed':
        return READY
      case 'sent':
        if (this.#isTaken || this.#head !== undefined) return READY
        return { kind: 'owner', waiting: { id: this.#sending.remote.id, until: 'read' } }
      default:
        return this.#sending satisfies never
    }
  }

  #fetch(): void {
    if (this.#sending.kind !== 'sent' || this.#head !== undefined) return
    const { remote } = this.#sending
    const { header } = this.#instance.ask({ ask: 'http-head', id: remote.id })
    if ('pending' in header) return
    if ('status' in header) {
      this.#head = header
      return
    }
    if (!('error' in header)) throw refuseAnswer('http-head')
    this.#sending = { kind: 'failed', code: toHttpCode(header) }
    remote.release()
  }
}

/** `incoming-response` of wasi:http. */
export class IncomingResponse extends Resource implements WasiIncomingResponse {
  readonly #instance: Instance
  readonly #remote: Remote
  readonly #head: ResponseHead
  readonly #betweenBytesNs: bigint | undefined
  #isConsumed = false

  constructor(instance: Instance, remote: Remote, head: ResponseHead, betweenBytesNs: bigint | undefined) {
    super(instance)
    this.#instance = instance
    this.#remote = remote.retain()
    this.#head = head
    this.#betweenBytesNs = betweenBytesNs
  }

  status(): number {
    return this.#head.status
  }

  headers(): Fields {
    return Fields.immutable(this.#instance, this.#head.headers)
  }

  consume(): IncomingBody {
    if (this.#isConsumed) throw undefined
    this.#isConsumed = true
    return new IncomingBody(this.#instance, this.#remote, this.#betweenBytesNs)
  }

  protected override dropped(): void {
    this.#remote.release()
  }
}

/** `incoming-body` of wasi:http: the content as a stream, once. */
export class IncomingBody extends Resource implements WasiIncomingBody {
  readonly #instance: Instance
  readonly #remote: Remote
  readonly #betweenBytesNs: bigint | undefined
  #isTaken = false

  constructor(instance: Instance, remote: Remote, betweenBytesNs: bigint | undefined) {
    super(instance)
    this.#instance = instance
    this.#remote = remote.retain()
    this.#betweenBytesNs = betweenBytesNs
  }

  stream(): InputStream {
    if (this.#isTaken) throw undefined
    this.#isTaken = true
    return new InputStream(this.#instance, createHttpSource(this.#instance, this.#remote, this.#betweenBytesNs))
  }

  static finish(body: IncomingBody): FutureTrailers {
    const trailers = new FutureTrailers(body.#instance)
    body[Symbol.dispose]()
    return trailers
  }

  protected override dropped(): void {
    this.#remote.release()
  }
}

/** `future-trailers` of wasi:http: there are none. */
export class FutureTrailers extends Resource implements WasiFutureTrailers {
  readonly #instance: Instance
  #isTaken = false

  constructor(instance: Instance) {
    super(instance)
    this.#instance = instance
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, () => READY)
  }

  get(): Result<Result<Fields | undefined, ErrorCode>, void> | undefined {
    if (this.#isTaken) return { tag: 'err', val: undefined }
    this.#isTaken = true
    return { tag: 'ok', val: { tag: 'ok', val: undefined } }
  }
}

/** `incoming-request` of wasi:http: there is none. */
export class IncomingRequest {}

/** `response-outparam` of wasi:http: there is none. */
export class ResponseOutparam {}

/** The content of a response. Between two pieces of it may lie so many nanoseconds. */
function createHttpSource(instance: Instance, remote: Remote, betweenBytesNs: bigint | undefined): InputSource {
  const { id } = remote.retain()
  let hasEnded = false
  let lastNs = instance.monotonicNs()
  const isLate = (): boolean => betweenBytesNs !== undefined && instance.monotonicNs() - lastNs >= betweenBytesNs
  return {
    read(length) {
      if (hasEnded) return undefined
      const { header, body } = instance.ask({ ask: 'http-read', id, length })
      if ('error' in header) throw new StreamFailure({ of: 'http', code: toHttpCode(header) })
      if (!('ended' in header) || body.length > length) throw refuseAnswer('http-read')
      hasEnded = header.ended
      if (body.length > 0) lastNs = instance.monotonicNs()
      else if (hasEnded) return undefined
      else if (isLate()) throw new StreamFailure({ of: 'http', code: { tag: 'connection-read-timeout' } })
      return body
    },
    look: () => (hasEnded || isLate() ? READY : { kind: 'owner', waiting: { id, until: 'read' } }),
    close: () => remote.release(),
  }
}
