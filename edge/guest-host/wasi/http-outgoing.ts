import type {
  Method,
  Scheme,
  OutgoingRequest as WasiOutgoingRequest,
  OutgoingResponse as WasiOutgoingResponse,
  RequestOptions as WasiRequestOptions,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import { Content, declaredLength, OutgoingBody } from './http-content.ts'
import { Fields } from './http-fields.ts'
import { type Instance, Resource } from './instance.ts'

/** RFC 9110, section 9.1. */
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/
/** RFC 3986, sections 3.3 and 3.4: what stands in a request, percent-encoded where it must be. */
const PATH = /^[/?][!-"$-~]*$/
const MAX_PATH_CHARS = 8192
/** A name, an IPv4 address or an IPv6 address in brackets, and a port. No user. */
const AUTHORITY = /^(?:[0-9A-Za-z._~!$&'()*+,;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(?::\d{1,5})?$/
const MAX_PORT = 65_535

/** Whatever goes out: its fields cannot be changed any more, its content can be had once. */
abstract class OutgoingMessage extends Resource {
  readonly #instance: Instance
  readonly #fields: [name: string, value: string][]
  readonly #content: Content
  #isTaken = false

  constructor(instance: Instance, fields: Fields) {
    super(instance)
    this.#instance = instance
    this.#fields = Fields.textOf(fields)
    this.#content = new Content(instance, declaredLength(fields.get('content-length')))
    fields[Symbol.dispose]()
  }

  headers(): Fields {
    return Fields.immutable(this.#instance, this.#fields)
  }

  body(): OutgoingBody {
    if (this.#isTaken) throw undefined
    this.#isTaken = true
    return new OutgoingBody(this.#instance, this.#content)
  }

  protected get fields(): [name: string, value: string][] {
    return this.#fields
  }

  /** Empty, and whole, where nobody wanted to write it. */
  protected takeContent(): Content {
    if (!this.#isTaken) this.#content.end()
    this.#isTaken = true
    return this.#content
  }
}

/** What is sent of a request. */
export interface SentRequest {
  /** As it was given. */
  readonly method: Method
  readonly scheme: Scheme | undefined
  readonly authority: string | undefined
  readonly path: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly content: Content
}

/** `outgoing-request` of wasi:http. A setter throws nothing (`result` without a payload) for what is no such part of a request. */
export class OutgoingRequest extends OutgoingMessage implements WasiOutgoingRequest {
  #method: Method = { tag: 'get' }
  #path: string | undefined
  #scheme: Scheme | undefined
  #authority: string | undefined

  method(): Method {
    return this.#method
  }

  setMethod(method: Method): void {
    if (method.tag === 'other' && !METHOD.test(method.val)) throw undefined
    this.#method = method
  }

  pathWithQuery(): string | undefined {
    return this.#path
  }

  setPathWithQuery(path: string | undefined): void {
    if (path !== undefined && path !== '' && !(PATH.test(path) && path.length <= MAX_PATH_CHARS)) throw undefined
    this.#path = path
  }

  scheme(): Scheme | undefined {
    return this.#scheme
  }

  setScheme(scheme: Scheme | undefined): void {
    if (scheme?.tag === 'other' && !/^[A-Za-z][A-Za-z0-9+.-]{0,63}$/.test(scheme.val)) throw undefined
    this.#scheme = scheme
  }

  authority(): string | undefined {
    return this.#authority
  }

  setAuthority(authority: string | undefined): void {
    if (authority !== undefined && !isAuthority(authority)) throw undefined
    this.#authority = authority
  }

  /** What it amounts to; it is used up by that. */
  static take(request: OutgoingRequest): SentRequest {
    const path = request.#path ?? ''
    const sent: SentRequest = {
      method: request.#method,
      scheme: request.#scheme,
      authority: request.#authority,
      path: path.startsWith('/') ? path : `/${path}`,
      fields: request.fields,
      content: request.takeContent(),
    }
    request[Symbol.dispose]()
    return sent
  }
}

/** `outgoing-response` of wasi:http: can be made, and is of no use, since nothing here takes one. */
export class OutgoingResponse extends OutgoingMessage implements WasiOutgoingResponse {
  #status = 200

  statusCode(): number {
    return this.#status
  }

  setStatusCode(status: number): void {
    if (status < 100 || status > 999) throw undefined
    this.#status = status
  }
}

/** `request-options` of wasi:http, in nanoseconds. */
export class RequestOptions extends Resource implements WasiRequestOptions {
  #connectNs: bigint | undefined
  #firstByteNs: bigint | undefined
  #betweenBytesNs: bigint | undefined

  connectTimeout(): bigint | undefined {
    return this.#connectNs
  }

  setConnectTimeout(duration: bigint | undefined): void {
    this.#connectNs = duration
  }

  firstByteTimeout(): bigint | undefined {
    return this.#firstByteNs
  }

  setFirstByteTimeout(duration: bigint | undefined): void {
    this.#firstByteNs = duration
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#betweenBytesNs
  }

  setBetweenBytesTimeout(duration: bigint | undefined): void {
    this.#betweenBytesNs = duration
  }
}

function isAuthority(text: string): boolean {
  if (!AUTHORITY.test(text)) return false
  const port = /:(\d+)$/.exec(text.slice(text.lastIndexOf(']') + 1))?.[1]
  return port === undefined || Number(port) <= MAX_PORT
}
