import type { RuleFileName } from '../../core/index.ts'
import type { LoosePart } from './loose-match.ts'
import { matchPattern, type PathPattern } from './pattern.ts'
import { isRedirect, type RedirectRule } from './redirect-rule.ts'
import { type RuleFinding, shorten } from './rule-file.ts'
import { RuleIndex } from './rule-index.ts'
import type { SiteRules } from './site-rules.ts'
import { matchHost, type RulePath } from './source.ts'
import { isFixed, renderPath } from './target.ts'

/** The site that rules are published with. */
export interface ReviewedSite {
  /** The domain and its aliases. */
  readonly hosts: readonly string[]
  /** True where the site has a file for a path, at this or another spelling of it. */
  readonly exists: (path: RulePath) => boolean
}

/** What the author should know before rules are published. */
export interface RuleReview {
  /** Not to be published. */
  readonly faults: readonly RuleFinding[]
  readonly warnings: readonly RuleFinding[]
}

/** So many pairs of rules are compared; of files beyond it some warnings stay away. */
const MAX_COMPARED = 2_000_000

/** Looks for rules that are about other hosts, or that never count, or lead to nothing. Pure. */
export function reviewRules(rules: SiteRules, site: ReviewedSite): RuleReview {
  const faults: RuleFinding[] = []
  const warnings: RuleFinding[] = []
  const finding = (file: RuleFileName, rule: Pick<RedirectRule, 'line' | 'text'>, message: string, hint: string) => {
    return { file, line: rule.line, rule: shorten(rule.text), message, hint }
  }
  const isForeign = ({ source: { host } }: Pick<RedirectRule, 'source'>): boolean =>
    host !== undefined && !site.hosts.some((each) => matchHost(host, each) !== undefined)
  const above = findRulesAbove(rules.redirects)
  for (const [i, rule] of rules.redirects.entries()) {
    const warn = (message: string, hint: string): void => {
      warnings.push(finding('_redirects', rule, message, hint))
    }
    const first = above[i]
    if (isForeign(rule)) {
      const hint = 'Add it to the aliases in makiatto.toml, or leave scheme and host out.'
      faults.push(finding('_redirects', rule, `${rule.source.host?.text} is no host of this domain`, hint))
    } else if (first !== undefined) {
      const hint = `Move it above line ${first.line}, or remove it.`
      warn(`it never counts: line ${first.line} takes all that it is about`, hint)
    } else if (!rule.force && rule.source.path.kind === 'exact' && site.exists(pathOf(rule.source.path.path)))
      warn('it never counts: the site has a file there', `Write ${rule.status}! to let the rule win, or remove one.`)
    const missing = findMissingTarget(rule, site)
    if (missing !== undefined) warn(`the site has no ${missing}`, 'Write the path of a file of the site.')
    if (isOpenWay(rule, rules, site))
      warn('it shows what a password protects, without asking for one', 'Protect its source by Basic-Auth too.')
  }
  for (const rule of rules.headers)
    if (isForeign(rule)) {
      const hint = 'Hosts are the domain and its aliases; previews have hosts of their own.'
      warnings.push(finding('_headers', rule, `${rule.source.host?.text} is no host of this domain`, hint))
    }
  return { faults, warnings }
}

const pathOf = (path: string): RulePath => ({ path, slash: false })

function findMissingTarget({ status, target }: RedirectRule, { exists }: ReviewedSite): string | undefined {
  if (isRedirect(status) || !isFixed(target)) return undefined
  const path = renderPath(target, new Map())
  return path === undefined || exists(path) ? undefined : JSON.stringify(`/${path.path}`)
}

/** True for a rewrite from where everybody may look to where not everybody may. */
function isOpenWay({ source, status, target }: RedirectRule, rules: SiteRules, { hosts }: ReviewedSite): boolean {
  const [host = ''] = hosts
  if (isRedirect(status)) return false
  return listSamples(source.path).some((sample) => {
    const captures = matchPattern(source.path, sample, false)
    const to = captures && renderPath(target, captures)
    if (to === undefined) return false
    return rules.authFor(host, to) !== undefined && rules.authFor(host, pathOf(sample)) === undefined
  })
}

/** For each rule the one above it that leaves nothing to it. */
function findRulesAbove(rules: readonly RedirectRule[]): (RedirectRule | undefined)[] {
  const index = new RuleIndex(rules.map(({ source }) => source.path))
  let compared = 0
  return rules.map((rule, i) => {
    const samples = listSamples(rule.source.path)
    for (const j of index.candidates(samples[0] as string)) {
      if (j >= i || ++compared > MAX_COMPARED) return undefined
      const other = rules[j] as RedirectRule
      if (takesAll(other, rule) && samples.every((sample) => takes(other, sample))) return other
    }
    return undefined
  })
}

/** True where a rule counts whenever the other does, if its path allows. */
function takesAll(above: RedirectRule, rule: RedirectRule): boolean {
  if (above.query.length > 0 || above.countries !== undefined || above.languages !== undefined) return false
  if (rule.force && !above.force) return false
  const { scheme, host } = above.source
  if (scheme !== undefined && scheme !== rule.source.scheme) return false
  if (host !== undefined && host.text !== rule.source.host?.text) return false
  return true
}

/** A rule that would send to where the visitor is gives way to others. */
function takes({ source, status, target }: RedirectRule, path: string): boolean {
  const captures = matchPattern(source.path, path, false)
  if (captures === undefined) return false
  return !isRedirect(status) || target.origin !== undefined || renderPath(target, captures)?.path !== path
}

/** What nobody writes, so that only a wildcard matches it. */
const ANY = '\uf8ffany'

/** Paths that together stand for all that a pattern matches: another one matches them all only if it matches everything. */
function listSamples(pattern: PathPattern): readonly string[] {
  switch (pattern.kind) {
    case 'exact':
      return [pattern.path]
    case 'segments': {
      const path = pattern.segments.map((segment) => (segment.kind === 'text' ? segment.text : ANY)).join('/')
      if (!pattern.rest) return [path]
      const below = path === '' ? '' : `${path}/`
      return [path, `${below}${ANY}`, `${below}${ANY}/${ANY}`]
    }
    case 'loose':
      return [true, false].map((isShort) => pattern.parts.map((part) => sampleOf(part, isShort)).join(''))
    default:
      return pattern satisfies never
  }
}

function sampleOf(part: LoosePart, isShort: boolean): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'one':
      return ANY
    case 'any':
      return isShort ? '' : `${ANY}/${ANY}`
    case 'folders':
      return isShort ? '' : `${ANY}/${ANY}/`
    case 'rest':
      return isShort ? '' : `/${ANY}/${ANY}`
    default:
      return part satisfies never
  }
}
