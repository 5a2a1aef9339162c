import type { ErrorCode, Method, Scheme } from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import type { OutgoingRequest as AskedRequest } from '../../guest-contract/index.ts'
import { toHttpCode } from './http-code.ts'
import { OutgoingBody } from './http-content.ts'
import { Fields } from './http-fields.ts'
import {
  FutureIncomingResponse,
  FutureTrailers,
  IncomingBody,
  IncomingRequest,
  IncomingResponse,
  ResponseOutparam,
} from './http-incoming.ts'
import { OutgoingRequest, OutgoingResponse, RequestOptions } from './http-outgoing.ts'
import { buildConstructor, type Instance, Remote, refuseAnswer } from './instance.ts'
import { IoError } from './io-error.ts'

const NS_PER_MS = 1_000_000
/** Nobody waits longer; it keeps what a guest says a number. */
const MAX_TIMEOUT_MS = 3_600_000

/** wasi:http, for requests to others: sent when their content is whole; the content of a response streams. */
export function buildHttp(instance: Instance): Record<string, object> {
  return {
    'wasi:http/types': {
      Fields: buildConstructor(Fields, () => new Fields(instance), {
        fromList: (entries: [string, Uint8Array][]) => Fields.fromList(instance, entries),
      }),
      OutgoingRequest: buildConstructor(OutgoingRequest, (fields: Fields) => new OutgoingRequest(instance, fields)),
      OutgoingResponse: buildConstructor(OutgoingResponse, (fields: Fields) => new OutgoingResponse(instance, fields)),
      RequestOptions: buildConstructor(RequestOptions, () => new RequestOptions(instance)),
      OutgoingBody,
      FutureIncomingResponse,
      IncomingResponse,
      IncomingBody,
      FutureTrailers,
      IncomingRequest,
      ResponseOutparam,
      httpErrorCode(error: IoError): ErrorCode | undefined {
        const failure = IoError.failureOf(error)
        return failure.of === 'http' ? failure.code : undefined
      },
    },
    'wasi:http/outgoing-handler': {
      handle: (request: OutgoingRequest, options: RequestOptions | undefined) => handle(instance, request, options),
    },
  }
}

/** `handle`. Throws a code for what is no request to a server. */
function handle(
  instance: Instance,
  request: OutgoingRequest,
  options: RequestOptions | undefined,
): FutureIncomingResponse {
  const { content, method, scheme, authority, path, fields } = OutgoingRequest.take(request)
  const timeoutMs = headTimeoutMs(options)
  const betweenBytesNs = options?.betweenBytesTimeout()
  options?.[Symbol.dispose]()
  if (authority === undefined) refuse({ tag: 'HTTP-request-URI-invalid' })
  const asked: AskedRequest = {
    method: toMethod(method),
    scheme: toScheme(scheme),
    authority,
    path,
    headers: fields,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  const future = new FutureIncomingResponse(instance, betweenBytesNs)
  content.whenSettled((settled) => {
    if (FutureIncomingResponse.isDropped(future)) return
    if ('error' in settled) {
      FutureIncomingResponse.advance(future, { kind: 'failed', code: settled.error })
      return
    }
    const { header } = instance.ask({ ask: 'http-send', request: asked }, settled.bytes)
    if ('error' in header) FutureIncomingResponse.advance(future, { kind: 'failed', code: toHttpCode(header) })
    else if ('id' in header)
      FutureIncomingResponse.advance(future, { kind: 'sent', remote: new Remote(instance, header.id) })
    else throw refuseAnswer('http-send')
  })
  return future
}

function toMethod(method: Method): string {
  const name = method.tag === 'other' ? method.val : method.tag.toUpperCase()
  // A tunnel is no request that a guest could speak through.
  if (name.toUpperCase() === 'CONNECT') refuse({ tag: 'HTTP-request-method-invalid' })
  return name.toUpperCase()
}

function toScheme(scheme: Scheme | undefined): 'http' | 'https' {
  if (scheme === undefined || scheme.tag === 'HTTPS') return 'https'
  if (scheme.tag === 'HTTP') return 'http'
  const name = scheme.val.toLowerCase()
  if (name === 'http' || name === 'https') return name
  return refuse({ tag: 'HTTP-protocol-error' })
}

/** A limit of the connection alone is not told: the owner has his own. */
function headTimeoutMs(options: RequestOptions | undefined): number | undefined {
  const firstByteNs = options?.firstByteTimeout()
  if (firstByteNs === undefined) return undefined
  return Math.min(toMs(options?.connectTimeout() ?? 0n) + toMs(firstByteNs), MAX_TIMEOUT_MS)
}

function toMs(ns: bigint): number {
  return Math.min(Math.ceil(Number(ns) / NS_PER_MS), MAX_TIMEOUT_MS)
}

function refuse(code: ErrorCode): never {
  throw code
}
