import type { OutgoingHttpHeaders } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { AnswerStream } from './send-plan.ts'

/** They speak of an HTTP/1.1 connection and make an HTTP/2 message malformed (RFC 9113 section 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
])

/**
 * A stream as all answers are written to one. A head that is not for HTTP/2 loses what is not, an answer that is cut is
 * ended with INTERNAL_ERROR, so that no client takes its part for the whole.
 */
export function asAnswerStream(stream: ServerHttp2Stream): AnswerStream {
  const { destroy } = stream
  return Object.assign(stream, {
    writeHead(status: number, headers: OutgoingHttpHeaders) {
      // The client may have gone; what is then written goes nowhere.
      if (!stream.destroyed && !stream.closed && !stream.headersSent) stream.respond(flattenHead(status, headers))
    },
    destroy(error?: Error) {
      if (!stream.closed && !stream.writableFinished) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      return destroy.call(stream, error)
    },
  })
}

/** A head as node:http2 takes it at least cost: names and values in turn. Pure. */
export function flattenHead(status: number, headers: OutgoingHttpHeaders): string[] {
  const flat = [':status', String(status)]
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || OF_CONNECTION.has(name)) continue
    if (Array.isArray(value)) for (const one of value) flat.push(name, one)
    else flat.push(name, String(value))
  }
  return flat
}
