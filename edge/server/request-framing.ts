import type { IncomingMessage } from 'node:http'

/** Of content that nobody wants, so much is read and dropped, for the client to see the answer; then the connection is cut. */
export const MAX_DROPPED_BYTES = 8 * 1024 * 1024

/** What refuses a request for how it was sent. `ends`: nobody can say where the next request would begin. */
export interface FramingFault {
  readonly status: 400 | 417 | 501 | 505
  readonly ends: boolean
}

type Head = Pick<IncomingMessage, 'httpVersion' | 'headers'>

/**
 * Finds what node's parser lets through and RFC 9112 does not: other versions (section 2.3), codings other than chunked
 * (section 6.1), any coding in HTTP/1.0, where whoever stood between may have read it otherwise. And expectations
 * that nobody knows (RFC 9110 section 10.1.1).
 */
export function findFramingFault({ httpVersion, headers }: Head): FramingFault | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { status: 505, ends: true }
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    if (httpVersion === '1.0') return { status: 400, ends: true }
    if (coding.toLowerCase() !== 'chunked') return { status: 501, ends: true }
  }
  const expected = headers.expect
  if (expected !== undefined && httpVersion === '1.1' && expected.toLowerCase() !== '100-continue')
    return { status: 417, ends: true }
  return undefined
}

/** The content that follows the head, by its octets where the head says; undefined where none follows. */
export function findContent({
  headers,
}: Pick<IncomingMessage, 'headers'>): { readonly lengthBytes: number | undefined } | undefined {
  if (headers['transfer-encoding'] !== undefined) return { lengthBytes: undefined }
  const lengthBytes = Number(headers['content-length'] ?? 0)
  return lengthBytes > 0 ? { lengthBytes } : undefined
}
