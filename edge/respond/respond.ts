import { type Hostname, type OperationId, shortId } from '../../core/index.ts'
import { decodePath, encodePath, findHost, findTarget, type RequestTarget } from '../message/index.ts'
import type { PageStatus } from '../rules/index.ts'
import {
  type Resolution,
  resolvePath,
  resolveUnknown,
  type Site,
  type SiteRelease,
  type SiteTable,
} from '../site/index.ts'
import type { Transforms } from '../transforms/index.ts'
import { applyRules } from './apply-rules.ts'
import { applyHeaderRules, noteDependence } from './edit-headers.ts'
import type { Images } from './images.ts'
import { withLifetime } from './lifetime.ts'
import type { Learnt, Need } from './need.ts'
import { findOtherAsset } from './other-asset.ts'
import type { Plan } from './plan.ts'
import { serveImage } from './plan-image.ts'
import { findPreviewSite, isPreview } from './preview.ts'
import { describeNode, refuse } from './refuse.ts'
import { keepPrivate, requirePassword } from './require-password.ts'
import { type AdmittedTarget, callFunction, respondByFunction } from './respond-by-function.ts'
import { findRuled, type RuledRequest } from './ruled-request.ts'
import { findHttpsRedirect, findStrictTransport } from './secure.ts'
import { serveFile, serveWhole } from './serve-file.ts'
import { findServed, type ServedFile, type ServedResolution } from './served-file.ts'
import { type Challenges, showChallenge } from './show-challenge.ts'
import type { SiteRequest } from './site-request.ts'
import type { Variants } from './variants.ts'

export interface RespondOptions {
  /** The name of this node, said in every answer. */
  readonly node: string
  /** False: answers do not say which node gave them, and of which release. */
  readonly serverHeaders?: boolean | undefined
  /** Asked for the domain of a host that the table does not have; see `local-host.ts`. */
  readonly fallback?: HostFallback | undefined
  /** Development: a browser asks again for every file, so that an edit is seen at once. */
  readonly revalidate?: boolean | undefined
  /** Encodings that lie ready; undefined where none are made. */
  readonly variants?: Variants | undefined
  /** What images may be made into; undefined where none are. */
  readonly images?: Images | undefined
  /** What transforms made of files; undefined where none are run, so that files are served as they are. */
  readonly transforms?: Transforms | undefined
  /** True: functions are run; whoever learns a need can call them. */
  readonly functions?: boolean | undefined
  /** Where this node serves HTTPS; undefined where it does not, so that nobody is sent there. */
  readonly httpsPort?: number | undefined
  /** What authorities that ask for their tokens are shown; undefined where nothing is. */
  readonly challenges?: Challenges | undefined
}

export type HostFallback = (host: string, table: SiteTable) => Hostname | undefined

/** What can be done with a file. */
export const ALLOW = 'GET, HEAD, OPTIONS'
/** Of RFC 9110 and 5789: known, and refused by name; others are not known here (RFC 9110 section 9.1). */
const KNOWN_METHODS = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'CONNECT'])
/** RFC 9110 section 4.1 has 8,000 octets supported at least. */
const MAX_TARGET_LENGTH = 8192
const RETRY_AFTER_S = '5'
/** Of content that no function takes; what a browser sends by mistake is small. */
const MAX_UNWANTED_BYTES = 1024 * 1024

type Headers = Record<string, string>
type PathTarget = Extract<RequestTarget, { kind: 'path' }>

/**
 * Decides the answer to a request (RFC 9110) from the table and what was learnt for it: no I/O, no clock, no error whatever
 * the input. What more has to be learnt first is given instead of an answer.
 */
export function respond(request: SiteRequest, table: SiteTable, learnt: Learnt, options: RespondOptions): Plan | Need {
  const headers: Headers = { ...describeNode(options), 'x-content-type-options': 'nosniff' }
  if (request.target.length > MAX_TARGET_LENGTH) return refuse(request, 414, headers)
  const target = findTarget(request.method, request.target)
  const host = findHost((target?.kind === 'path' ? target.authority : undefined) ?? request.host ?? '')
  // RFC 9112 section 3.2: a missing or bad Host is refused even where the target names the authority.
  if (target === undefined || host === undefined || findHost(request.host ?? '') === undefined)
    return refuse(request, 400, headers)
  if (request.covers?.(host) === false) return refuse(request, 421, headers)
  if (target.kind === 'server') return describe(headers)
  const shown = showChallenge(request, { host, ...target }, options.challenges, headers)
  if (shown !== undefined) return shown
  const site = findSite(host, table, options.fallback) ?? findPreviewSite(host, table, learnt, options.fallback)
  if (site === undefined) return refuse(request, 404, headers)
  if ('kind' in site) return site
  const plan = respondFor(site, request, { host, ...target }, learnt, options, headers)
  return 'kind' in plan ? plan : { ...plan, of: { domain: site.domain, release: site.release?.id } }
}

function describeRelease({ serverHeaders }: RespondOptions, release: OperationId): Headers {
  return serverHeaders === false ? {} : { 'makiatto-release': shortId(release) }
}

/** The answer of a site, once it is known which. */
function respondFor(
  site: Site,
  request: SiteRequest,
  target: PathTarget & { readonly host: string },
  learnt: Learnt,
  options: RespondOptions,
  headers: Headers,
): Plan | Need {
  const toHttps = findHttpsRedirect(request, target, site, options.httpsPort, headers)
  if (toHttps !== undefined) return toHttps
  const strict = findStrictTransport(request, target.host, site)
  if (strict !== undefined) headers['strict-transport-security'] = strict
  if (isPreview(site)) headers['x-robots-tag'] = 'noindex'
  if (site.release !== undefined) Object.assign(headers, describeRelease(options, site.release.id))
  if (site.redirect !== undefined) return redirect(`${site.redirect}${target.raw}${target.query}`, headers)
  const ruled = findRuled(site, site.release, target)
  const gate = requirePassword(request, ruled, site, learnt, headers)
  if (!gate.isOpen) return gate.answer
  const isProtected = gate.isProtected
  const plan = respondTo(request, { ...target, isProtected }, site, ruled, learnt, options, headers)
  return gate.isProtected && !('kind' in plan) ? keepPrivate(plan) : plan
}

/** The answer to who may see it. */
function respondTo(
  request: SiteRequest,
  target: AdmittedTarget,
  site: Site,
  ruled: RuledRequest | undefined,
  learnt: Learnt,
  options: RespondOptions,
  headers: Headers,
): Plan | Need {
  if (site.release !== undefined) {
    const context = { target, site, release: site.release, learnt, headers, areRun: options.functions === true }
    const plan = respondByFunction(request, ruled, context)
    if (plan !== undefined) return plan
  }
  if ((request.content?.lengthBytes ?? 0) > MAX_UNWANTED_BYTES) return refuse(request, 413, headers)
  if (request.method === 'OPTIONS') return describe(headers)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(request, KNOWN_METHODS.has(request.method) ? 405 : 501, { ...headers, allow: ALLOW })
  }
  if (site.release === undefined) {
    if (!site.published) return refuse(request, 404, headers)
    return refuse(request, 503, { ...headers, 'retry-after': RETRY_AFTER_S })
  }
  const plan = respondFromSite(request, target, site, site.release, ruled, learnt, headers, options)
  if ('kind' in plan) return plan
  // The owner may take a preview back at any time.
  if (options.revalidate !== true && !isPreview(site)) return plan
  return withLifetime(plan, plan.headers['cache-control'] === 'no-store' ? 'no-store' : 'no-cache')
}

/**
 * The site of a host, previews aside. Where there is one, `respond` decides from it, and from nothing else of the table:
 * the fast path remembers answers by it.
 */
export function findSite(host: string, table: SiteTable, fallback: HostFallback | undefined): Site | undefined {
  const site = table.findSite(host)
  if (site !== undefined || fallback === undefined) return site
  const domain = fallback(host, table)
  return domain === undefined ? undefined : table.siteOf(domain)
}

function respondFromSite(
  request: SiteRequest,
  target: AdmittedTarget,
  site: Site,
  release: SiteRelease,
  ruled: RuledRequest | undefined,
  learnt: Learnt,
  headers: Headers,
  options: RespondOptions,
): Plan | Need {
  const decoded = decodePath(target.raw)
  if (decoded.kind === 'bad') return refuse(request, 400, headers)
  const resolution: Resolution =
    decoded.kind === 'path' && release.functions?.isComponent(decoded.path.path) !== true
      ? resolvePath(release.manifest, decoded.path, site)
      : resolveUnknown(release.manifest, undefined, site)
  const asked = { request, query: target.query, site, release }
  const first = applyRules(ruled, { ...asked, hasFile: false }, headers)
  const isForced = first.kind !== 'none' && first.isForced
  const other =
    decoded.kind === 'path' && !isForced ? findOtherAsset(site, decoded.path, resolution, learnt) : undefined
  if (other != null && 'kind' in other) return other
  const rule = other == null ? first : applyRules(ruled, { ...asked, hasFile: true }, headers)
  if (rule.kind === 'redirect') return rule.plan
  if (rule.kind === 'function') {
    const areRun = options.functions === true
    return callFunction(request, rule.asked, { target, site, release, learnt, headers, areRun }, rule.dependsOn)
  }
  const isOther = rule.kind !== 'page' && other != null
  const meant: Resolution =
    rule.kind === 'page' ? rule.resolution : isOther ? { kind: 'file', file: other.file } : resolution
  const served = findServed(meant, release, learnt, options.transforms)
  if ('kind' in served) return served
  // What will be otherwise in a while must not be remembered, and has no date: with the date of the release it would stay.
  if (!served.isSettled) request.client()
  const lastModified = served.isSettled ? release.lastModified : undefined
  const context = { request, target, site, learnt, headers, options, lastModified }
  const plan =
    isOther && served.resolution.kind === 'file'
      ? serveOther(request, { ...other, file: served.resolution.file }, headers, options)
      : serveResolution(served.resolution, context, rule.kind === 'page' ? rule.status : undefined)
  if ('kind' in plan) return plan
  const edited = noteDependence(applyHeaderRules(plan, ruled), rule.dependsOn)
  // A moment later another node may have brought it: a rule for all chunks must not keep a page in its place for a year.
  if (other === null) return withLifetime(edited, 'no-store')
  return served.isSettled ? edited : withLifetime(edited, 'no-cache')
}

function serveOther(
  request: SiteRequest,
  { file, release }: { readonly file: ServedFile; readonly release: OperationId },
  headers: Headers,
  options: RespondOptions,
): Plan {
  return serveFile(request, file, { ...headers, ...describeRelease(options, release) }, options.variants)
}

/** `status` is that of a rule: a page may be sent with 404, and what is not found with 410. */
function serveResolution(
  resolution: ServedResolution,
  {
    request,
    target,
    site,
    lastModified,
    learnt,
    headers,
    options: { variants, images },
  }: {
    readonly request: SiteRequest
    readonly target: PathTarget
    readonly site: Site
    readonly lastModified: string | undefined
    readonly learnt: Learnt
    readonly headers: Headers
    readonly options: RespondOptions
  },
  status: PageStatus = 200,
): Plan | Need {
  const missing = status === 200 ? 404 : status
  switch (resolution.kind) {
    case 'file':
      if (status !== 200)
        return serveWhole(request, status, resolution.file, { 'cache-control': 'no-cache', ...headers }, variants)
      return serveImage(
        request,
        { domain: site.domain, file: resolution.file, query: target.query, base: headers, learnt, images },
        (base) => serveFile(request, resolution.file, base, variants, lastModified),
      )
    case 'redirect':
      return redirect(`${encodePath(resolution.path)}${target.query}`, headers)
    case 'not-found':
      return resolution.page === undefined
        ? refuse(request, missing, headers)
        : serveWhole(request, missing, resolution.page, { 'cache-control': 'no-cache', ...headers }, variants)
    default:
      return resolution satisfies never
  }
}

function describe(base: Headers): Plan {
  return { status: 204, headers: { ...base, allow: ALLOW }, body: { kind: 'none' } }
}

/** Not to be cached: browsers keep a bare 308 for ever, and the next release may have a page there. */
function redirect(location: string, base: Headers): Plan {
  const headers = { ...base, location, 'cache-control': 'no-cache', 'content-length': '0' }
  return { status: 308, headers, body: { kind: 'none' } }
}
