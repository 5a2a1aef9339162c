import { encodePath, type SitePath } from '../message/index.ts'
import type { PageStatus, RuleDependence } from '../rules/index.ts'
import { type Resolution, resolvePath, type Site, type SiteRelease } from '../site/index.ts'
import type { CalledFunction } from './answer-function.ts'
import { noteDependence } from './edit-headers.ts'
import type { HeaderFields, Plan } from './plan.ts'
import type { RuledRequest } from './ruled-request.ts'
import type { SiteRequest } from './site-request.ts'

/** What `_redirects` leaves to be answered. */
export type Ruled =
  /** To be sent as it is. */
  | { readonly kind: 'redirect'; readonly isForced: boolean; readonly plan: Plan }
  /** That is answered instead, with the status where it is a page. */
  | {
      readonly kind: 'page'
      readonly isForced: boolean
      readonly resolution: Resolution
      readonly status: PageStatus
      readonly dependsOn: RuleDependence
    }
  /** A function answers instead. */
  | {
      readonly kind: 'function'
      readonly isForced: boolean
      readonly asked: CalledFunction
      readonly dependsOn: RuleDependence
    }
  /** As if there were no rules. */
  | { readonly kind: 'none'; readonly dependsOn: RuleDependence }

const ON_NOTHING: RuleDependence = { language: false, country: false }

/**
 * Applies the first rule of `_redirects` that matches. `hasFile`: something else than the release's own files answers the path, so
 * that only forced rules count. A rule that is forced is the same with it and without.
 */
export function applyRules(
  ruled: RuledRequest | undefined,
  asked: {
    readonly request: SiteRequest
    readonly query: string
    readonly site: Site
    readonly release: SiteRelease
    readonly hasFile: boolean
  },
  headers: HeaderFields,
): Ruled {
  if (ruled === undefined || ruled.spelling === 'cut' || ruled.rules.redirects.length === 0)
    return { kind: 'none', dependsOn: ON_NOTHING }
  const { request, query, site, release, hasFile } = asked
  const { match, isForced, dependsOn } = ruled.rules.redirectFor({
    host: ruled.host,
    at: ruled.at,
    query,
    secure: request.secure,
    exists: hasFile || (ruled.spelling === 'same' && isFile(release, ruled.at)),
    languages: () => request.field('accept-language'),
    country: () => request.client().country,
  })
  if (match === undefined) return { kind: 'none', dependsOn }
  if (match.kind === 'page') {
    const called = match.status === 200 ? release.functions?.find(match.path.path) : undefined
    if (called !== undefined) {
      const asked = { called, path: encodePath(match.path), query: match.query ?? query }
      return { kind: 'function', isForced, asked, dependsOn }
    }
    return {
      kind: 'page',
      isForced,
      resolution: resolveRewrite(release, match.path, { spa: site.spa && match.status === 200 }),
      status: match.status,
      dependsOn,
    }
  }
  const { status, location } = match
  const plan: Plan = {
    status,
    // The next release may have another rule, or a page.
    headers: { ...headers, location, 'cache-control': 'no-cache', 'content-length': '0' },
    body: { kind: 'none' },
  }
  return { kind: 'redirect', isForced, plan: noteDependence(plan, dependsOn) }
}

const isFile = ({ manifest }: SiteRelease, at: SitePath): boolean =>
  resolvePath(manifest, at, { spa: false }).kind !== 'not-found'

/** A visitor does not see the path of a rewrite, so that either spelling of it will do. Rules are not applied again. */
function resolveRewrite({ manifest }: SiteRelease, path: SitePath, options: { readonly spa: boolean }): Resolution {
  const first = resolvePath(manifest, path, options)
  return first.kind === 'redirect' ? resolvePath(manifest, first.path, options) : first
}
