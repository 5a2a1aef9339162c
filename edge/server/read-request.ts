import type { IncomingMessage } from 'node:http'
import type { RequestContent } from '../message/index.ts'
import type { SiteRequest } from '../respond/index.ts'
import { coversOf } from './connection-cover.ts'

/** What node:http read of a request, as all transports hand it on. */
export function readRequest(
  request: IncomingMessage,
  secure: boolean,
  content: RequestContent | undefined,
): SiteRequest {
  const { headers, rawHeaders, socket } = request
  return {
    method: request.method ?? '',
    target: request.url ?? '',
    host: countHosts(rawHeaders) === 1 ? headers.host : undefined,
    secure,
    covers: secure ? coversOf(socket) : undefined,
    field: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    client: () => ({ address: socket.remoteAddress ?? '', country: undefined }),
    fields: () => pairFields(rawHeaders),
    content,
  }
}

/** The fields of a head as node gives them, a name and a value in turn; those of HTTP/2 that begin with a colon are none. */
export function pairFields(rawHeaders: readonly string[]): (readonly [name: string, value: string])[] {
  const fields: (readonly [string, string])[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (!name.startsWith(':')) fields.push([name.toLowerCase(), rawHeaders[i + 1] as string])
  }
  return fields
}

/** node:http keeps the first of several Host headers; RFC 9112 section 3.2 has the request refused. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') count++
  }
  return count
}
