import type { IncomingHttpHeaders } from 'node:http2'
import type { RequestContent } from '../message/index.ts'
import type { Client, SiteRequest } from '../respond/index.ts'
import { pairFields } from './read-request.ts'

/** What a connection says of all its requests. */
export interface Http2Peer {
  readonly client: () => Client
  readonly covers: (host: string) => boolean
}

/** As much as of HTTP/1.1; each field counts for 32 more bytes (RFC 9113 section 10.5.1). */
const MAX_LIST_BYTES = 16 * 1024
const FIELD_BYTES = 32

/** True for header fields that are more than are read; they are answered with 431 (RFC 6585 section 5). */
export function isOversized(rawHeaders: readonly string[]): boolean {
  let bytes = (rawHeaders.length / 2) * FIELD_BYTES
  for (const text of rawHeaders) bytes += text.length
  return bytes > MAX_LIST_BYTES
}

/**
 * What an HTTP/2 request asks, as all transports hand it on. What HTTP/1.1 could not say, or says otherwise, becomes a request
 * without host, which is refused (RFC 9113 section 8.3.1): an authority and a Host that differ, several Hosts, a target that is
 * no path, another scheme than those of the web.
 */
export function readHttp2Request(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  peer: Http2Peer,
  content: RequestContent | undefined,
): SiteRequest {
  return {
    method: headers[':method'] ?? '',
    target: findTarget(headers[':path']),
    host: isWeb(headers[':scheme']) ? findAuthority(headers, rawHeaders) : undefined,
    secure: true,
    covers: peer.covers,
    field: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    client: peer.client,
    fields: () => pairFields(rawHeaders),
    content,
  }
}

/** A client sends the authority, a gateway the Host that it was asked with; both are allowed where they are one. */
function findAuthority(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): string | undefined {
  const { ':authority': authority, host } = headers
  if (host === undefined) return authority
  // node:http2 keeps the first of several.
  if (rawHeaders.indexOf('host') !== rawHeaders.lastIndexOf('host')) return undefined
  return authority === undefined || host.toLowerCase() === authority.toLowerCase() ? host : undefined
}

/** `:path` is a path with its query, or an asterisk; other forms of a target are those of HTTP/1.1. CONNECT has none. */
const findTarget = (path: string | undefined): string =>
  path !== undefined && (path.startsWith('/') || path === '*') ? path : ''

const isWeb = (scheme: string | undefined): boolean => scheme === 'https' || scheme === 'http'
