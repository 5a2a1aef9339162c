import { isLanguageOf } from './language.ts'
import type { Captures } from './pattern.ts'
import { matchQuery } from './query-match.ts'
import { isRedirect, type PageStatus, type RedirectRule, type RedirectStatus } from './redirect-rule.ts'
import { RequestFacts, type RuleDependence, type RuleRequest } from './request-facts.ts'
import { RuleIndex } from './rule-index.ts'
import { matchSource, type RulePath } from './source.ts'
import { renderLocation, renderPath, renderQuery } from './target.ts'
import { renderTemplate } from './template.ts'

/** What the first rule that matches makes of a request. */
export type RuleMatch =
  | { readonly kind: 'redirect'; readonly status: RedirectStatus; readonly location: string }
  /** `path` is served instead, with the status. `query`: what the rule says of it, with its `?`; absent where that of the request stays. */
  | { readonly kind: 'page'; readonly status: PageStatus; readonly path: RulePath; readonly query?: string }

export interface RuleDecision {
  readonly match: RuleMatch | undefined
  /** What matched would have also where a file has the path, so that it need not be known whether one has. */
  readonly isForced: boolean
  readonly dependsOn: RuleDependence
}

/** The rules of a `_redirects` file, ready to be asked. */
export class RedirectTable {
  readonly rules: readonly RedirectRule[]
  readonly #index: RuleIndex

  constructor(rules: readonly RedirectRule[]) {
    this.rules = rules
    this.#index = new RuleIndex(rules.map(({ source }) => source.path))
  }

  /** The first rule that matches, in the order of the file. Pure, and linear in the number of rules with wildcards. */
  find(request: RuleRequest): RuleDecision {
    const facts = new RequestFacts(request)
    for (const i of this.#index.candidates(request.at.path)) {
      const rule = this.rules[i] as RedirectRule
      const match = matchRule(rule, facts)
      if (match === undefined) continue
      return { match: match.kind === 'stay' ? undefined : match, isForced: rule.force, dependsOn: facts.dependsOn }
    }
    return { match: undefined, isForced: false, dependsOn: facts.dependsOn }
  }
}

/** The visitor is where the rule leads to already: no rule after it counts. */
interface Stay {
  readonly kind: 'stay'
}

/** What one rule makes of a request; undefined where it does not match. */
function matchRule(rule: RedirectRule, facts: RequestFacts): RuleMatch | Stay | undefined {
  const { request } = facts
  if (request.exists && !rule.force) return undefined
  const { scheme } = rule.source
  if (scheme !== undefined && (scheme === 'https') !== request.secure) return undefined
  const captures = matchSource(rule.source, request.host, request.at)
  if (captures === undefined) return undefined
  const inQuery = rule.query.length === 0 ? undefined : matchQuery(rule.query, facts.parameters)
  if (rule.query.length > 0 && inQuery === undefined) return undefined
  const all = inQuery === undefined ? captures : new Map([...captures, ...inQuery])
  const match = buildMatch(rule, request, all)
  return match !== undefined && meetsConditions(rule, facts) ? match : undefined
}

function meetsConditions({ countries, languages }: RedirectRule, facts: RequestFacts): boolean {
  if (countries !== undefined) {
    const { country } = facts
    if (country === undefined || !countries.includes(country)) return false
  }
  if (languages === undefined) return true
  const wanted = facts.language
  return wanted !== undefined && isLanguageOf(languages, wanted)
}

function buildMatch(rule: RedirectRule, request: RuleRequest, captures: Captures): RuleMatch | Stay | undefined {
  const { status, target, query } = rule
  const path = renderPath(target, captures)
  if (path === undefined) return undefined
  if (!isRedirect(status)) return { kind: 'page', status, path, ...renderQuery(target, captures) }
  // A parameter that the rule asked for has done its work.
  const location = renderLocation(target, captures, query.length > 0 ? '' : request.query)
  if (location === undefined) return undefined
  if (isOwnOrigin(rule, request)) {
    // To where the visitor is, final slash or not: for ever.
    if (path.path === request.at.path && (query.length === 0 || location.includes(request.query))) return undefined
    if (leadsDeeper(rule, request, captures)) return { kind: 'stay' }
  }
  return { kind: 'redirect', status, location }
}

const isOwnOrigin = ({ target: { origin } }: RedirectRule, { host, secure }: RuleRequest): boolean =>
  origin === undefined || origin === `${secure ? 'https' : 'http'}://${host}`

/**
 * True where the visitor would be sent from below the target ever deeper: by `/* /en/:splat`, asked for `/en/about`. As with
 * Netlify they stay.
 */
function leadsDeeper({ source, target }: RedirectRule, { at }: RuleRequest, captures: Captures): boolean {
  const splat = captures.get('splat')?.replace(/\/$/, '')
  const last = target.plainPath.at(-1)
  const endsInSplat = typeof last === 'object' && last.name === 'splat' && source.path.names.at(-1) === 'splat'
  if (splat === undefined || !endsInSplat || !at.path.endsWith(splat)) return false
  const head = renderTemplate(target.plainPath.slice(0, -1), captures, (same) => same).replace(/^\//, '')
  return head.length > at.path.length - splat.length && `${at.path}/`.startsWith(head)
}
