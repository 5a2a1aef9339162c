import { MAX_PATH_LENGTH } from '../../core/index.ts'

/** Where a request goes, taken apart. `raw` and `query` are as sent, with what a header must not hold escaped. */
export type RequestTarget =
  | {
      readonly kind: 'path'
      /** Host and port of an absolute-form target, which go before the Host header (RFC 9112 section 3.2.2). */
      readonly authority: string | undefined
      /** Starts with a slash; not decoded. */
      readonly raw: string
      /** With its `?`, or empty. */
      readonly query: string
    }
  /** `OPTIONS *`. */
  | { readonly kind: 'server' }

/**
 * Reads a request target as node:http gives it: one character for each byte sent. Undefined for what is none
 * (RFC 9112 section 3.2).
 */
export function findTarget(method: string, target: string): RequestTarget | undefined {
  if (target === '*') return method === 'OPTIONS' ? { kind: 'server' } : undefined
  if (target.startsWith('/')) return { kind: 'path', authority: undefined, ...splitQuery(target) }
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target)
  if (absolute === null) return undefined
  const rest = absolute[2] as string
  return { kind: 'path', authority: absolute[1], ...splitQuery(rest.startsWith('/') ? rest : `/${rest}`) }
}

function splitQuery(target: string): { raw: string; query: string } {
  const mark = target.indexOf('?')
  if (mark === -1) return { raw: escapeForHeader(target), query: '' }
  return { raw: escapeForHeader(target.slice(0, mark)), query: escapeForHeader(target.slice(mark)) }
}

const UNSAFE = /[^\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]/g

/** Percent-encodes what may not stand in a URI (RFC 3986), so that it can go into a Location header. */
function escapeForHeader(text: string): string {
  return text.replace(UNSAFE, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/**
 * A path of a site: decoded once, relative to its root, without the final slash. Every segment is non-empty, none is
 * `.` or `..`, and no slash, backslash or NUL came out of an escape.
 */
export interface SitePath {
  readonly path: string
  /** The target ended in a slash: it names a directory. The root is the empty path with a slash. */
  readonly slash: boolean
}

export type DecodedPath =
  | { readonly kind: 'path'; readonly path: SitePath }
  /** Not a path at all: broken escapes, not UTF-8, dot segments, a slash, backslash or NUL in an escape. */
  | { readonly kind: 'bad' }
  /** A path that no file can have: an empty segment, too long. */
  | { readonly kind: 'nowhere' }

const PLAIN = /^[\w\-./~!$&'()*+,;=:@]*$/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Decodes the raw path of a target. This is the only place where a client's path is decoded. Dot segments are refused
 * instead of resolved: browsers and curl resolve them before they ask, so what still has them is probing.
 */
export function decodePath(raw: string): DecodedPath {
  let decoded = raw
  if (!PLAIN.test(raw)) {
    const text = findDecoded(raw)
    if (text === undefined) return { kind: 'bad' }
    decoded = text
  }
  const slash = decoded.endsWith('/')
  const path = decoded.slice(1, slash && decoded.length > 1 ? -1 : undefined)
  if (path === '') return decoded === '/' ? { kind: 'path', path: { path, slash } } : { kind: 'nowhere' }
  const segments = path.split('/')
  // First: what has them is no path however long it is, and however many slashes stand in it.
  if (segments.some((segment) => segment === '.' || segment === '..')) return { kind: 'bad' }
  if (path.length > MAX_PATH_LENGTH || segments.includes('')) return { kind: 'nowhere' }
  return { kind: 'path', path: { path, slash } }
}

/** Undefined where an escape is broken, hides a separator or a NUL, or the bytes are not UTF-8. */
function findDecoded(raw: string): string | undefined {
  if (/%(?![0-9a-f]{2})|%2f|%5c|%00|\\/i.test(raw)) return undefined
  const latin1 = raw.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'))
  } catch {
    return undefined
  }
}

/** Percent-encodes a site path for a Location header; the result starts with exactly one slash. */
export function encodePath({ path, slash }: SitePath): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  return `/${encoded}${slash && path !== '' ? '/' : ''}`
}

const HOST = /^(?:([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?|(\[[0-9a-f:.]+\]))(?::[0-9]{0,5})?$/i

/**
 * The host of a Host header or an authority: lower case, without port and final dot; an IPv6 address keeps its
 * brackets. Undefined for what is none (RFC 9110 section 7.2); user information is refused too.
 */
export function findHost(header: string): string | undefined {
  if (header.length > 300) return undefined
  const match = HOST.exec(header)
  return (match?.[1] ?? match?.[2])?.toLowerCase()
}
