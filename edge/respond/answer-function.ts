import type { FunctionOutcome, SiteFunction } from '../functions/index.ts'
import { decodePath, matchesWeakly, namesUs, type RequestTarget } from '../message/index.ts'
import type { Site, SiteRelease } from '../site/index.ts'
import type { Learnt, Need } from './need.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { explain, refuse } from './refuse.ts'
import type { SiteRequest } from './site-request.ts'

/** A function, and the path and query that it is asked with. */
export interface CalledFunction {
  readonly called: SiteFunction
  /** With leading slash, not decoded. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
}

/** What the call of a function is decided from, besides the request. */
export interface FunctionContext {
  readonly site: Site
  readonly release: SiteRelease
  /** That was asked for. */
  readonly host: string
  /** A password was asked for and given. */
  readonly isProtected: boolean
  /** What every answer of the site says. */
  readonly base: HeaderFields
  readonly learnt: Learnt
  /** False: functions are carried here and not run. */
  readonly areRun: boolean
}

/** What a function can be asked with (`makiatto:http`). */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const KNOWN_METHODS: readonly string[] = [...METHODS, 'TRACE', 'CONNECT']
/** Statuses whose answers have no content (RFC 9110 sections 15.3.5, 15.4.5). */
const WITHOUT_LENGTH: ReadonlySet<number> = new Set([204, 304])

/** The function at the path that was asked for; with or without a final slash. */
export function findFunction(
  { raw, query }: Extract<RequestTarget, { kind: 'path' }>,
  release: SiteRelease | undefined,
): CalledFunction | undefined {
  if (release?.functions === undefined) return undefined
  const decoded = decodePath(raw)
  const called = decoded.kind === 'path' ? release.functions.find(decoded.path.path) : undefined
  return called && { called, path: raw, query }
}

/**
 * The answer of a function, or that it is to be called. A method that it does not take gets 405; OPTIONS is answered with the
 * methods that it takes where it does not take that one itself.
 */
export function answerFunction(request: SiteRequest, asked: CalledFunction, context: FunctionContext): Plan | Need {
  const { base, learnt } = context
  const allowed = listMethods(asked.called.methods)
  if (!allowed.includes(request.method)) {
    const headers = { ...base, allow: [...new Set([...allowed, 'OPTIONS'])].join(', ') }
    if (request.method === 'OPTIONS') return { status: 204, headers, body: { kind: 'none' } }
    return refuse(request, KNOWN_METHODS.includes(request.method) ? 405 : 501, headers)
  }
  if (!context.areRun) return refuse(request, 501, base)
  const loop = request.field('cdn-loop')
  if (loop !== undefined && namesUs(loop)) return refuse(request, 508, base)
  if (learnt.function !== undefined) return planOutcome(request, learnt.function, base)
  const { site, release, host, isProtected } = context
  const { called, path, query } = asked
  const call = { domain: site.domain, release: release.id, manifest: release.manifest, called, host, isProtected }
  return { kind: 'function', call: { ...call, path, query: query === '' ? undefined : query.slice(1) } }
}

/** Upper case. Who takes GET takes HEAD. */
function listMethods(methods: readonly string[] | undefined): readonly string[] {
  if (methods === undefined) return METHODS
  return METHODS.filter((method) => methods.includes(method) || (method === 'HEAD' && methods.includes('GET')))
}

function planOutcome(request: SiteRequest, outcome: FunctionOutcome, base: HeaderFields): Plan {
  switch (outcome.kind) {
    case 'answered':
      return planAnswer(request, outcome, base)
    case 'failed': {
      const { status, trace, retryAfterS } = outcome
      // Behind content that came too slowly no request can be found (RFC 9110 section 15.5.9).
      const ends = status === 408 ? { connection: 'close' } : {}
      const headers = { ...base, ...ends, 'makiatto-trace': trace }
      const retry = retryAfterS === undefined ? headers : { ...headers, 'retry-after': String(retryAfterS) }
      return explain(request, status, `${status} ${FAILURES[status]} (trace ${trace})`, retry)
    }
    case 'gone':
      return refuse(request, 400, base)
    default:
      return outcome satisfies never
  }
}

/** What visitors are told; the log has the rest, by the trace. */
const FAILURES = {
  408: 'Request Timeout',
  413: 'Content Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
} as const

function planAnswer(
  request: SiteRequest,
  { status, headers, body, lengthBytes, trace }: Extract<FunctionOutcome, { kind: 'answered' }>,
  base: HeaderFields,
): Plan {
  // A map: a name may be one that objects have already, like __proto__.
  const fields = new Map<string, string | string[]>(Object.entries(base))
  fields.set('cache-control', 'no-store').set('makiatto-trace', trace)
  // That search engines pass a preview by is not a function's to take back.
  const given = new Set(fields.has('x-robots-tag') ? ['x-robots-tag'] : [])
  for (const [name, value] of headers) {
    const present = given.has(name) ? fields.get(name) : undefined
    // A line each: of cookies no two can be one.
    fields.set(name, present === undefined ? value : [present, value].flat())
    given.add(name)
  }
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && status === 200 && isUnchanged(request, fields.get('etag')))
    return { status: 304, headers: withoutContent(fields), body: { kind: 'none' } }
  if (lengthBytes !== undefined && !WITHOUT_LENGTH.has(status)) fields.set('content-length', String(lengthBytes))
  const isEmpty = body.length === 0 || request.method === 'HEAD' || WITHOUT_LENGTH.has(status)
  return {
    status,
    headers: Object.fromEntries(fields),
    body: isEmpty ? { kind: 'none' } : { kind: 'bytes', bytes: body },
  }
}

/** A function that gives an entity tag need not compare it itself. */
function isUnchanged(request: SiteRequest, etag: string | string[] | undefined): boolean {
  if (typeof etag !== 'string') return false
  const ifNoneMatch = request.field('if-none-match')
  return ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, etag.replace(/^W\//, ''))
}

/** Of an answer without content, what is said of content is left out (RFC 9110 section 15.4.5). */
function withoutContent(fields: ReadonlyMap<string, string | string[]>): HeaderFields {
  return Object.fromEntries([...fields].filter(([name]) => !name.startsWith('content-') || name === 'content-location'))
}
