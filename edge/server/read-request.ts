import type { IncomingMessage } from 'node:http'
import type { SiteRequest } from '../respond/index.ts'
import { coversOf } from './connection-cover.ts'

/** What node:http read of a request, as all transports hand it on. */
export function readRequest(request: IncomingMessage, secure: boolean): SiteRequest {
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
  }
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
