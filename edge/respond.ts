import { type BlobHash, type Hostname, type ManifestFile, shortId } from '../core/index.ts'
import { findRange, matchesStrongly, matchesWeakly } from './conditional.ts'
import { mediaHeaders } from './media.ts'
import { decodePath, encodePath, findHost, findTarget, type RequestTarget } from './request-target.ts'
import { type Resolution, resolvePath, resolveUnknown } from './resolve.ts'
import type { Site, SiteRelease, SiteTable } from './site-table.ts'

/** What of a request decides its answer. */
export interface SiteRequest {
  readonly method: string
  /** As node:http gives it: one character for each byte. */
  readonly target: string
  /** The Host header; undefined where it is missing or stands twice. */
  readonly host: string | undefined
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifRange?: string | undefined
  readonly range?: string | undefined
}

/** An answer, decided; nothing was read yet. */
export interface Plan {
  readonly status: number
  /** Names in lower case. Equal for GET and HEAD. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: PlanBody
}

export type PlanBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly text: string }
  /** Bytes [start, end) of a blob; `whole` when these are all. */
  | {
      readonly kind: 'blob'
      readonly hash: BlobHash
      readonly start: number
      readonly end: number
      readonly whole: boolean
    }

export interface RespondOptions {
  /** The name of this node, said in every answer. */
  readonly node: string
  /** Asked for the domain of a host that the table does not have; see `local-host.ts`. */
  readonly fallback?: HostFallback | undefined
  /** Development: a browser asks again for every file, so that an edit is seen at once. */
  readonly revalidate?: boolean | undefined
}

export type HostFallback = (host: string, table: SiteTable) => Hostname | undefined

const ALLOW = 'GET, HEAD, OPTIONS'
const RETRY_AFTER_S = '5'

type Headers = Record<string, string>

/** Decides the answer to a request (RFC 9110) from the table alone: no I/O, no clock, no error whatever the input. */
export function respond(request: SiteRequest, table: SiteTable, options: RespondOptions): Plan {
  const headers: Headers = { 'makiatto-node': options.node, 'x-content-type-options': 'nosniff' }
  const target = findTarget(request.method, request.target)
  const host = findHost((target?.kind === 'path' ? target.authority : undefined) ?? request.host ?? '')
  // RFC 9112 section 3.2: a missing or bad Host is refused even where the target names the authority.
  if (target === undefined || host === undefined || findHost(request.host ?? '') === undefined)
    return refuse(request, 400, headers)
  if (target.kind === 'server') return describe(headers)
  const site = findSite(host, table, options.fallback)
  if (site === undefined) return refuse(request, 404, headers)
  if (site.release !== undefined) headers['makiatto-release'] = shortId(site.release.id)
  if (site.redirect !== undefined) return redirect(`${site.redirect}${target.raw}${target.query}`, headers)
  const called = findFunction(target, site.release)
  if (called !== undefined) return refuseFunction(request, called.methods, headers)
  if (request.method === 'OPTIONS') return describe(headers)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(request, 405, { ...headers, allow: ALLOW })
  }
  if (site.release === undefined) {
    if (!site.published) return refuse(request, 404, headers)
    return refuse(request, 503, { ...headers, 'retry-after': RETRY_AFTER_S })
  }
  const plan = respondFromSite(request, target, site, site.release, headers)
  if (options.revalidate !== true || plan.headers['cache-control'] === undefined) return plan
  return { ...plan, headers: { ...plan.headers, 'cache-control': 'no-cache' } }
}

function findSite(host: string, table: SiteTable, fallback: HostFallback | undefined): Site | undefined {
  const site = table.findSite(host)
  if (site !== undefined || fallback === undefined) return site
  const domain = fallback(host, table)
  return domain === undefined ? undefined : table.siteOf(domain)
}

function respondFromSite(
  request: SiteRequest,
  target: Extract<RequestTarget, { kind: 'path' }>,
  site: Site,
  { manifest }: SiteRelease,
  headers: Headers,
): Plan {
  const decoded = decodePath(target.raw)
  if (decoded.kind === 'bad') return refuse(request, 400, headers)
  const resolution: Resolution =
    decoded.kind === 'path' ? resolvePath(manifest, decoded.path, site) : resolveUnknown(manifest, undefined, site)
  switch (resolution.kind) {
    case 'file':
      return serveFile(request, resolution.file, headers)
    case 'redirect':
      return redirect(`${encodePath(resolution.path)}${target.query}`, headers)
    case 'not-found':
      return resolution.page === undefined
        ? refuse(request, 404, headers)
        : serveWhole(request, 404, resolution.page, { ...headers, 'cache-control': 'no-cache' })
    default:
      return resolution satisfies never
  }
}

/** Conditions are evaluated in the order of RFC 9110 section 13.2.2; there are no modification dates. */
function serveFile(request: SiteRequest, file: ManifestFile, base: Headers): Plan {
  const etag = `"${file.hash}"`
  const headers: Headers = {
    ...base,
    etag,
    'cache-control': mediaHeaders(file.path).cacheControl,
    'accept-ranges': 'bytes',
  }
  if (request.ifMatch !== undefined && !matchesStrongly(request.ifMatch, etag)) return refuse(request, 412, base)
  if (request.ifNoneMatch !== undefined && matchesWeakly(request.ifNoneMatch, etag))
    return { status: 304, headers, body: { kind: 'none' } }
  // Range is defined for GET only, and If-Range takes nothing but our own strong tag (RFC 9110 sections 13.1.5 and 14.2).
  const wanted = request.method === 'GET' && (request.ifRange === undefined || request.ifRange.trim() === etag)
  const range = wanted && request.range !== undefined ? findRange(request.range, file.sizeBytes) : undefined
  if (range === undefined) return serveWhole(request, 200, file, headers)
  if (range === 'unsatisfiable') {
    return refuse(request, 416, { ...base, 'accept-ranges': 'bytes', 'content-range': `bytes */${file.sizeBytes}` })
  }
  const { start, end } = range
  headers['content-type'] = mediaHeaders(file.path).contentType
  headers['content-range'] = `bytes ${start}-${end - 1}/${file.sizeBytes}`
  headers['content-length'] = String(end - start)
  const whole = start === 0 && end === file.sizeBytes
  return { status: 206, headers, body: { kind: 'blob', hash: file.hash, start, end, whole } }
}

function serveWhole(request: SiteRequest, status: number, file: ManifestFile, base: Headers): Plan {
  const headers = {
    ...base,
    'content-type': mediaHeaders(file.path).contentType,
    'content-length': String(file.sizeBytes),
  }
  if (request.method === 'HEAD') return { status, headers, body: { kind: 'none' } }
  return { status, headers, body: { kind: 'blob', hash: file.hash, start: 0, end: file.sizeBytes, whole: true } }
}

/** The function at a path; with or without a final slash. */
function findFunction(
  target: Extract<RequestTarget, { kind: 'path' }>,
  release: SiteRelease | undefined,
): { readonly methods: readonly string[] | undefined } | undefined {
  if (release?.functions === undefined) return undefined
  const decoded = decodePath(target.raw)
  if (decoded.kind !== 'path' || !release.functions.has(decoded.path.path)) return undefined
  return { methods: release.functions.get(decoded.path.path) }
}

/** This version carries functions and does not run them; a file of that path would be something else. */
function refuseFunction(request: SiteRequest, methods: readonly string[] | undefined, headers: Headers): Plan {
  if (methods !== undefined && !methods.includes(request.method))
    return refuse(request, 405, { ...headers, allow: methods.join(', ') })
  return refuse(request, 501, headers)
}

function describe(base: Headers): Plan {
  return { status: 204, headers: { ...base, allow: ALLOW }, body: { kind: 'none' } }
}

/** Not to be cached: browsers keep a bare 308 for ever, and the next release may have a page there. */
function redirect(location: string, base: Headers): Plan {
  const headers = { ...base, location, 'cache-control': 'no-cache', 'content-length': '0' }
  return { status: 308, headers, body: { kind: 'none' } }
}

const REASONS = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  412: 'Precondition Failed',
  416: 'Range Not Satisfiable',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
} as const

/** A plain error page of one line, with nothing of the request in it. */
export function refuse(
  request: Pick<SiteRequest, 'method'>,
  status: keyof typeof REASONS,
  base: Readonly<Record<string, string>>,
): Plan {
  const text = `${status} ${REASONS[status]}\n`
  const headers = {
    ...base,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(text.length),
    'cache-control': 'no-store',
  }
  return { status, headers, body: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'text', text } }
}
