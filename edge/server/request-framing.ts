import type { IncomingMessage } from 'node:http'

/** Nothing that is served here takes content; what a browser sends by mistake is small. */
const MAX_CONTENT_BYTES = 1024 * 1024
/** Of content that nobody wants, so much is read and dropped, for the client to see the answer; then the connection is cut. */
export const MAX_DROPPED_BYTES = 8 * MAX_CONTENT_BYTES

/** What refuses a request for how it was sent. `ends`: nobody can say where the next request would begin. */
export interface FramingFault {
  readonly status: 400 | 413 | 417 | 501 | 505
  readonly ends: boolean
}

type Head = Pick<IncomingMessage, 'httpVersion' | 'headers'>

/**
 * Finds what node's parser lets through and RFC 9112 does not: other versions (section 2.3), codings other than chunked
 * (section 6.1), any coding in HTTP/1.0, where whoever stood between may have read it otherwise. And content that is too
 * much, by what it says of itself, and expectations that nobody knows (RFC 9110 sections 15.5.14 and 10.1.1).
 */
export function findFramingFault({ httpVersion, headers }: Head): FramingFault | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return { status: 505, ends: true }
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    if (httpVersion === '1.0') return { status: 400, ends: true }
    if (coding.toLowerCase() !== 'chunked') return { status: 501, ends: true }
  }
  if (Number(headers['content-length'] ?? 0) > MAX_CONTENT_BYTES) return { status: 413, ends: false }
  const expected = headers.expect
  if (expected !== undefined && httpVersion === '1.1' && expected.toLowerCase() !== '100-continue')
    return { status: 417, ends: true }
  return undefined
}

/** Whether content follows the head. */
export function hasContent({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
