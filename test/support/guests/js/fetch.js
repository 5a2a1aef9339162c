// A request of the guest's own over the network. `wasj` becomes `wasi` when it is built: see build-js.ts.
import handler from 'wasj:http/outgoing-handler@0.2.4'
import types from 'wasj:http/types@0.2.4'
import { concat, decode, encode } from './makiatto.js'

const PIECE_BYTES = 4096
const READ_BYTES = 64 * 1024
/** More is not read. */
const MAX_CONTENT_BYTES = 16 * 1024 * 1024
const URL_PARTS = /^(https?):\/\/([^/?#]+)([^#]*)/i
const METHODS = ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch']

/**
 * Sends a request and waits for all of the answer. Throws where there is none, with the reason in WASI's words
 * (`destination-IP-prohibited`).
 *
 * @param {string} url
 * @param {{ method?: string, headers?: [string, string][], body?: Uint8Array | string }} [options]
 * @returns {{ status: number, headers: [string, string][], body: Uint8Array }}
 */
export function fetchNow(url, { method = 'GET', headers = [], body } = {}) {
  const [, scheme, authority, rest] = URL_PARTS.exec(url) ?? []
  if (scheme === undefined) throw new Error(`${url} is no URL of http or https`)
  const request = new types.OutgoingRequest(
    types.Fields.fromList(headers.map(([name, value]) => [name, encode(value)])),
  )
  request.setMethod(describeMethod(method))
  request.setScheme({ tag: scheme.toUpperCase() })
  request.setAuthority(authority)
  request.setPathWithQuery(rest.startsWith('/') ? rest : `/${rest}`)
  const content = typeof body === 'string' ? encode(body) : (body ?? new Uint8Array(0))
  const outgoing = request.body()
  const response = orThrow(url, () => handler.handle(request, null))
  if (content.length > 0) writeAll(outgoing.write(), content)
  orThrow(url, () => types.OutgoingBody.finish(outgoing, null))
  response.subscribe().block()
  const result = response.get()
  if (result?.tag !== 'ok' || result.val.tag !== 'ok') throw describe(url, result?.val?.val)
  const incoming = result.val.val
  return {
    status: incoming.status(),
    headers: incoming
      .headers()
      .entries()
      .map(([name, value]) => [name, decode(value)]),
    body: readAll(url, incoming.consume().stream()),
  }
}

function describeMethod(method) {
  const tag = method.toLowerCase()
  return METHODS.includes(tag) ? { tag } : { tag: 'other', val: method }
}

function writeAll(stream, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    stream.blockingWriteAndFlush(bytes.subarray(at, at + PIECE_BYTES))
  // The content cannot be finished while its stream is open.
  stream[Symbol.dispose]()
}

function readAll(url, stream) {
  const pieces = []
  let length = 0
  while (length <= MAX_CONTENT_BYTES) {
    try {
      const piece = stream.blockingRead(READ_BYTES)
      pieces.push(piece)
      length += piece.length
    } catch (error) {
      if (isClosed(error)) return concat(pieces)
      throw describe(url, error)
    }
  }
  throw new Error(`${url} answered with more than ${MAX_CONTENT_BYTES} bytes`)
}

const isClosed = (error) => error?.tag === 'closed' || error?.payload?.tag === 'closed' || error?.message === 'closed'

function orThrow(url, act) {
  try {
    return act()
  } catch (error) {
    throw describe(url, error)
  }
}

const describe = (url, error) =>
  new Error(`${url} did not answer: ${error?.tag ?? error?.payload?.tag ?? error?.message ?? 'no reason'}`)
