import { formatHttpDate } from '../message/index.ts'

/** Why bytes were not taken for a request; codes are those of node:http and its parser. */
export interface ByteFault {
  readonly code?: string | undefined
  /** What was being read, and how far. */
  readonly rawPacket?: Uint8Array | undefined
  readonly bytesParsed?: number | undefined
}

/** The first line of an answer, and fields of it. */
export interface RawRefusal {
  readonly status: string
  /** Whole lines with their line ends. */
  readonly fields?: string
}

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40} [!-~]+ HTTP\/([0-9]\.[0-9])\r\n/

/** What RFC 9110 and 9112 have a server say to bytes that are no request, as far as it can be told what they were meant for. */
export function findRawRefusal({ code, rawPacket, bytesParsed = 0 }: ByteFault): RawRefusal {
  const text = rawPacket === undefined ? '' : Buffer.from(rawPacket).toString('latin1', 0, 16_384)
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const isTarget = text !== '' && !text.slice(0, bytesParsed).includes('\n')
      return { status: isTarget ? '414 URI Too Long' : '431 Request Header Fields Too Large' }
    }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: '408 Request Timeout' }
    case 'HPE_PAUSED_H2_UPGRADE':
      return { status: '505 HTTP Version Not Supported' }
    case 'HPE_INVALID_METHOD':
    case 'HPE_INVALID_VERSION': {
      // The line in which it went wrong: others may have come before.
      const line = text.slice(text.lastIndexOf('\n', Math.max(0, bytesParsed - 1)) + 1)
      const version = REQUEST_LINE.exec(line)?.[1]
      if (version === undefined) return BAD_REQUEST
      if (version !== '1.0' && version !== '1.1') return { status: '505 HTTP Version Not Supported' }
      return code === 'HPE_INVALID_METHOD' ? { status: '501 Not Implemented' } : BAD_REQUEST
    }
    default:
      return BAD_REQUEST
  }
}

const BAD_REQUEST: RawRefusal = { status: '400 Bad Request' }

/** The whole answer, after which the connection ends. */
export function formatRawRefusal({ status, fields = '' }: RawRefusal, nowMs: number): string {
  return (
    `HTTP/1.1 ${status}\r\n${fields}content-type: text/plain; charset=utf-8\r\ncontent-length: ${status.length + 1}\r\n` +
    `cache-control: no-store\r\ndate: ${formatHttpDate(nowMs)}\r\nconnection: close\r\n\r\n${status}\n`
  )
}
