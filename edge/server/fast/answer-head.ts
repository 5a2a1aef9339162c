import type { OutgoingHttpHeaders } from 'node:http'
import { STATUS_CODES, validateHeaderValue } from 'node:http'
import type { DateClock } from './date.ts'

export interface AnswerHead {
  readonly text: string
  /** Where the value of Date stands in it. */
  readonly dateAt: number
  /** The body ends with the connection: nothing says how long it is. */
  readonly endless: boolean
}

export interface HeadOptions {
  readonly date: Pick<DateClock, 'text'>
  readonly method: 'GET' | 'HEAD'
  /** No request is read after this one. */
  readonly last: boolean
  readonly keepAliveS: number
}

/**
 * The head of an answer, byte for byte as node:http writes it: the fields in their order, then Date and what is said of the
 * connection. Throws a TypeError, as node:http does, for a value that cannot stand in a head.
 */
export function formatHead(status: number, headers: OutgoingHttpHeaders, options: HeadOptions): AnswerHead {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`
  let sized = options.method === 'HEAD' || status === 304 || status === 204
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined) continue
    if (name === 'content-length') sized = true
    for (const one of Array.isArray(value) ? value : [value]) {
      validateHeaderValue(name, String(one))
      text += `${name}: ${one}\r\n`
    }
  }
  const last = options.last || !sized
  text += 'Date: '
  const dateAt = text.length
  text += `${options.date.text}\r\n`
  text += last
    ? 'Connection: close\r\n\r\n'
    : `Connection: keep-alive\r\nKeep-Alive: timeout=${options.keepAliveS}\r\n\r\n`
  return { text, dateAt, endless: !sized }
}
