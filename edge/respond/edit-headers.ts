import type { RuleDependence } from '../rules/index.ts'
import { withLifetime } from './lifetime.ts'
import type { HeaderFields, Plan } from './plan.ts'
import type { RuledRequest } from './ruled-request.ts'

/** Answers that come from the files of a site: whole, a part, unchanged, or the page that says that there is none. */
const EDITED: ReadonlySet<number> = new Set([200, 206, 304, 404, 410, 451])

/** What is said of a file is not said of the page that is sent in its place: it would stay in caches, or be read as another type. */
const OF_FILES: ReadonlySet<string> = new Set([
  'cache-control',
  'cdn-cache-control',
  'content-disposition',
  'content-type',
  'expires',
])

/** The answer with the headers that `_headers` has for its path. */
export function applyHeaderRules(plan: Plan, ruled: RuledRequest | undefined): Plan {
  if (ruled === undefined || !EDITED.has(plan.status)) return plan
  const { set, remove } = ruled.rules.headersFor(ruled.host, ruled.at)
  if (set.size === 0 && remove.size === 0) return plan
  const headers: Record<string, string | string[]> = { ...plan.headers }
  const isError = plan.status >= 400
  for (const name of remove) if (!JOINED.has(name) && !(isError && OF_FILES.has(name))) delete headers[name]
  for (const [name, value] of set) {
    if (isError && OF_FILES.has(name)) continue
    // An answer without content has no type, and gets none.
    if (name === 'content-type' && headers[name] === undefined) continue
    headers[name] = JOINED.has(name)
      ? unite(headers[name], value as string)
      : typeof value === 'string'
        ? value
        : [...value]
  }
  return { ...plan, headers }
}

/**
 * What the node says stays, and rules only add to it: caches would confuse answers, and search engines find previews. A rule
 * cannot name what begins with `makiatto-`.
 */
const JOINED: ReadonlySet<string> = new Set(['vary', 'x-robots-tag'])

/**
 * Says in an answer what it depends on beside its path: the language by `Vary`; for the country there is no header, so that no
 * cache that several visitors share may keep it.
 */
export function noteDependence(plan: Plan, { language, country }: RuleDependence): Plan {
  if (!language && !country) return plan
  const headers: Record<string, string | string[]> = { ...plan.headers }
  if (language) headers.vary = unite(headers.vary, 'accept-language')
  if (!country) return { ...plan, headers }
  const present = textOf(headers['cache-control'])
  return withLifetime({ ...plan, headers }, /\b(?:private|no-store)\b/i.test(present) ? present : 'private, no-cache')
}

/** The names of both lists, each once. */
export function unite(present: HeaderFields[string] | undefined, more: string): string {
  const names = [...listOf(textOf(present)), ...listOf(more)]
  return names
    .filter((name, i) => names.findIndex((other) => other.toLowerCase() === name.toLowerCase()) === i)
    .join(', ')
}

const textOf = (value: HeaderFields[string] | undefined): string =>
  Array.isArray(value) ? value.join(', ') : (value ?? '')

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
