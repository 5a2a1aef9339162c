import type { RequestTarget } from '../message/index.ts'
import type { RuleDependence } from '../rules/index.ts'
import type { Site, SiteRelease } from '../site/index.ts'
import { answerFunction, type CalledFunction, findFunction } from './answer-function.ts'
import { applyRules } from './apply-rules.ts'
import { noteDependence } from './edit-headers.ts'
import { withLifetime } from './lifetime.ts'
import type { Learnt, Need } from './need.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { isPreview } from './preview.ts'
import type { RuledRequest } from './ruled-request.ts'
import type { SiteRequest } from './site-request.ts'

/** Of a request that was let in, after a password or without. */
export type AdmittedTarget = Extract<RequestTarget, { kind: 'path' }> & {
  readonly host: string
  readonly isProtected: boolean
}

/** What the call of a function is decided from, besides the request and the rules. */
export interface CallContext {
  readonly target: AdmittedTarget
  readonly site: Site
  readonly release: SiteRelease
  readonly learnt: Learnt
  /** What every answer of the site says. */
  readonly headers: HeaderFields
  /** False: functions are carried here and not run. */
  readonly areRun: boolean
}

/**
 * The answer of the function that is at the path, unless a forced rule goes before it; or, for what no file is asked with, of
 * the function that a rewrite leads to. Undefined where files answer.
 */
export function respondByFunction(
  request: SiteRequest,
  ruled: RuledRequest | undefined,
  context: CallContext,
): Plan | Need | undefined {
  const { target, site, release, headers } = context
  if (release.functions === undefined) return undefined
  const here = findFunction(target, release)
  // Rules for files are looked at where the files are.
  if (here === undefined && (request.method === 'GET' || request.method === 'HEAD')) return undefined
  const hasFile = here !== undefined
  const rule = applyRules(ruled, { request, query: target.query, site, release, hasFile }, headers)
  if (rule.kind === 'page' && rule.isForced) return undefined
  if (rule.kind === 'redirect') return hasFile ? rule.plan : undefined
  const asked = rule.kind === 'function' ? rule.asked : here
  return asked && callFunction(request, asked, context, rule.dependsOn)
}

/** The answer of a function, with what it depends on. */
export function callFunction(
  request: SiteRequest,
  asked: CalledFunction,
  { target, headers, ...context }: CallContext,
  dependsOn: RuleDependence,
): Plan | Need {
  const { host, isProtected } = target
  const plan = answerFunction(request, asked, { ...context, host, isProtected, base: headers })
  if ('kind' in plan) return plan
  const noted = noteDependence(plan, dependsOn)
  return isPreview(context.site) ? withLifetime(noted, 'no-store') : noted
}
