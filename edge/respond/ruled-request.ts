import { MAX_PATH_LENGTH } from '../../core/index.ts'
import { decodePath, type RequestTarget } from '../message/index.ts'
import type { RulePath, SiteRules } from '../rules/index.ts'
import type { Site, SiteRelease } from '../site/index.ts'

/** A request as the rules of a release see it. */
export interface RuledRequest {
  readonly rules: SiteRules
  /** Lower case, as rules name it. */
  readonly host: string
  readonly at: RulePath
  /** `at` is the very path that was asked for; else rules that lead elsewhere are not asked whether a file has it. */
  readonly spelling: 'same' | 'collapsed' | 'cut'
}

const LOCAL_SUFFIX = '.localhost'

type PathTarget = Extract<RequestTarget, { kind: 'path' }> & { readonly host: string }

/**
 * The request as rules see it: its path decoded once, several slashes in a row as one; a path that is longer than any file's is
 * cut at a slash, so that what protects a folder protects all of it. Undefined where the release has no rules, and for what is
 * no path at all, which nothing but 400 answers.
 */
export function findRuled(site: Site, release: SiteRelease | undefined, target: PathTarget): RuledRequest | undefined {
  if (release?.rules === undefined) return undefined
  const { rules } = release
  const host = findRuleHost(site, target.host)
  const { raw } = target
  const collapsed = raw.includes('//') ? raw.replace(/\/{2,}/g, '/') : raw
  const decoded = decodePath(collapsed)
  if (decoded.kind === 'bad') return undefined
  if (decoded.kind === 'path')
    return { rules, host, at: decoded.path, spelling: collapsed === raw ? 'same' : 'collapsed' }
  const cut = decodePath(collapsed.slice(0, collapsed.lastIndexOf('/', MAX_PATH_LENGTH) + 1))
  return { rules, host, at: cut.kind === 'path' ? cut.path : { path: '', slash: true }, spelling: 'cut' }
}

/** On the computer of a developer the names of rules are asked for below `localhost`. */
function findRuleHost(site: Site, host: string): string {
  if (!host.endsWith(LOCAL_SUFFIX)) return host
  const named = host.slice(0, -LOCAL_SUFFIX.length)
  return site.hosts.some((each) => each === named) ? named : host
}
