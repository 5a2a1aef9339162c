/** The files at the root of a site that rules are read from. */
export type RuleFileName = '_headers' | '_redirects'

/** Published with a release like any file, and never served. */
export const RULE_FILES: readonly RuleFileName[] = ['_headers', '_redirects']

/** True for a path of a site whose last segment is a name of a rule file, which is hidden in every folder. */
export function isRuleFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name === '_headers' || name === '_redirects'
}
