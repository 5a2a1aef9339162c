import type {
  ErrorCode,
  OutgoingBody as WasiOutgoingBody,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import type { Fields } from './http-fields.ts'
import { StreamFailure } from './input-stream.ts'
import { type Instance, Resource } from './instance.ts'
import { MAX_WRITE_BYTES, type OutputSink, OutputStream } from './output-stream.ts'
import { READY } from './poll.ts'

/** Of one request: it is held until it is whole. */
export const MAX_CONTENT_BYTES = 8 * 1024 * 1024

type Settled = { readonly bytes: Uint8Array } | { readonly error: ErrorCode }

/** The content of a message that a guest writes, held until it is finished. */
export class Content {
  readonly #instance: Instance
  /** What `Content-Length` says. */
  readonly #declaredBytes: number | undefined
  #pieces: Uint8Array[] = []
  #bytes = 0
  #settled: Settled | undefined
  #tell: ((settled: Settled) => void) | undefined

  constructor(instance: Instance, declaredBytes: number | undefined) {
    this.#instance = instance
    this.#declaredBytes = declaredBytes
  }

  /** Calls once, when it is whole or never will be; at once where it is. */
  whenSettled(call: (settled: Settled) => void): void {
    if (this.#settled === undefined) this.#tell = call
    else call(this.#settled)
  }

  /** It is whole. Throws a code where it is not as long as `Content-Length` says, or could not be held. */
  finish(): void {
    this.end()
    if (this.#settled !== undefined && 'error' in this.#settled) throw this.#settled.error
  }

  /** As `finish`, for who is told by `whenSettled`. */
  end(): void {
    if (this.#settled !== undefined) return
    const isWhole = this.#declaredBytes === undefined || this.#bytes === this.#declaredBytes
    const error: ErrorCode = { tag: 'HTTP-request-body-size', val: BigInt(this.#bytes) }
    this.#settle(isWhole ? { bytes: Buffer.concat(this.#pieces, this.#bytes) } : { error })
  }

  /** The guest gave it up. */
  abandon(): void {
    if (this.#settled === undefined) this.#settle({ error: { tag: 'HTTP-protocol-error' } })
  }

  /** Where it is written to. Takes no more than was declared, nor than there is room for. */
  createSink(): OutputSink {
    return {
      room: () => {
        if (this.#settled !== undefined) return undefined
        const room = Math.min(
          (this.#declaredBytes ?? MAX_CONTENT_BYTES) - this.#bytes,
          MAX_CONTENT_BYTES - this.#bytes,
          this.#instance.freeBytes,
        )
        // Who was granted nothing would wait for ever; one byte more than declared is refused when it is written.
        if (room <= 0 && this.#bytes !== this.#declaredBytes) this.#refuse(this.#bytes)
        return Math.max(1, Math.min(room, MAX_WRITE_BYTES))
      },
      write: (bytes) => {
        if (this.#settled !== undefined) return
        const total = this.#bytes + bytes.length
        if (this.#declaredBytes !== undefined && total > this.#declaredBytes) this.#refuse(total)
        this.#pieces.push(bytes.slice())
        this.#bytes = total
        this.#instance.holdBytes(bytes.length)
      },
      flush: () => true,
      look: () => READY,
      close() {},
    }
  }

  #refuse(bytes: number): never {
    const code: ErrorCode = { tag: 'HTTP-request-body-size', val: BigInt(bytes) }
    this.#settle({ error: code })
    throw new StreamFailure({ of: 'http', code })
  }

  #settle(settled: Settled): void {
    this.#instance.releaseBytes(this.#bytes)
    this.#pieces = []
    this.#settled = settled
    this.#tell?.(settled)
    this.#tell = undefined
  }
}

/** `outgoing-body` of wasi:http: a stream, once. Dropped before it is finished, its message is not sent. */
export class OutgoingBody extends Resource implements WasiOutgoingBody {
  readonly #instance: Instance
  readonly #content: Content
  #isTaken = false

  constructor(instance: Instance, content: Content) {
    super(instance)
    this.#instance = instance
    this.#content = content
  }

  write(): OutputStream {
    if (this.#isTaken) throw undefined
    this.#isTaken = true
    return new OutputStream(this.#instance, this.#content.createSink())
  }

  /** Throws a code for trailers, which are not sent, and for a content of another length than was said. */
  static finish(body: OutgoingBody, trailers: Fields | undefined): void {
    try {
      if (trailers !== undefined) {
        trailers[Symbol.dispose]()
        throw { tag: 'internal-error', val: 'trailers are not sent' } satisfies ErrorCode
      }
      body.#content.finish()
    } finally {
      body[Symbol.dispose]()
    }
  }

  protected override dropped(): void {
    this.#content.abandon()
  }
}

/** What fields declare of the length of a content. */
export function declaredLength(values: readonly Uint8Array[]): number | undefined {
  const [value] = values
  if (value === undefined) return undefined
  const text = Buffer.from(value).toString('latin1')
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
