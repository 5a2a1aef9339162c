import type { Captures } from './pattern.ts'
import { checkDots, decodeText } from './pattern.ts'
import { RuleFault } from './rule-file.ts'
import type { RulePath } from './source.ts'
import {
  encodePart,
  encodeSegments,
  escapeLiteral,
  namesIn,
  parseTemplate,
  renderTemplate,
  type Template,
} from './template.ts'

/** Where a rule leads. */
export interface Target {
  /** Scheme, host and port of an absolute URL; undefined for a path of this host. */
  readonly origin: string | undefined
  /** Percent-encoded, and decoded. */
  readonly path: Template
  readonly plainPath: Template
  /** Without `?`; undefined: the request's goes along. */
  readonly query: Template | undefined
  /** With its `#`, or empty. */
  readonly fragment: Template
}

/** Reads a path, or an http or https URL, with `:name` for what was captured. Throws RuleFault. */
export function parseTarget(text: string, names: ReadonlySet<string>): Target {
  const { origin, rest } = splitOrigin(text, names)
  const [beforeFragment = '', ...fragments] = rest.split('#')
  const fragment = rest.slice(beforeFragment.length)
  const mark = beforeFragment.indexOf('?')
  const path = mark === -1 ? beforeFragment : beforeFragment.slice(0, mark)
  const query = mark === -1 ? undefined : beforeFragment.slice(mark + 1)
  if (path.includes('\\')) throw new RuleFault('browsers take a backslash in an address for a slash', 'Write slashes.')
  const plainPath = parseTemplate(path, names, decodeText)
  checkDots(renderTemplate(plainPath, new Map(), () => 'x').split('/'))
  return {
    origin,
    path: parseTemplate(path, names, escapeLiteral),
    plainPath,
    query: query === undefined ? undefined : parseTemplate(query, names, escapeLiteral),
    fragment: fragments.length === 0 ? [] : parseTemplate(fragment, names, escapeLiteral),
  }
}

function splitOrigin(text: string, names: ReadonlySet<string>): { origin: string | undefined; rest: string } {
  if (text.startsWith('//') || text.startsWith('/\\'))
    throw new RuleFault(
      'browsers take what follows two slashes for a host',
      `Write https://${text.replace(/^[/\\]*/, '')}`,
    )
  if (text.startsWith('/')) return { origin: undefined, rest: text }
  const authority = /^https?:\/\/[^/?#\\]*/.exec(text)?.[0]
  if (authority === undefined) throw new RuleFault('a target begins with / or https://', `Write /${text}`)
  if (namesIn(parseTemplate(authority, names)).length > 0)
    throw new RuleFault('whoever asks would choose the host that visitors are sent to', 'Write the host out.')
  const url = URL.parse(authority)
  if (url === null || url.hostname === '' || url.username !== '' || url.password !== '')
    throw new RuleFault(`${JSON.stringify(authority)} is no address of a host`, 'Write https://host/path')
  const rest = text.slice(authority.length)
  return { origin: url.origin, rest: rest.startsWith('/') ? rest : `/${rest}` }
}

/**
 * The value of a Location header: printable ASCII; a path of this host that begins with exactly one slash, or a URL of the host
 * that the author wrote. Undefined where captures would make it a path with dot segments. `passed` is the query that goes
 * along where the target has none of its own, with its `?`.
 */
export function renderLocation(target: Target, captures: Captures, passed: string): string | undefined {
  const rendered = renderTemplate(target.path, captures, encodeSegments)
  if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(rendered)) return undefined
  // Of another host's paths nothing is known; of ours, `//` at the beginning would be a host.
  const path = target.origin === undefined ? rendered.replace(/\/{2,}/g, '/') : rendered
  const query = target.query === undefined ? passed : `?${renderTemplate(target.query, captures, encodePart)}`
  return `${target.origin ?? ''}${path}${query}${renderTemplate(target.fragment, captures, encodePart)}`
}

/** The path of this site that a rewrite leads to; undefined where captures make it none. */
export function renderPath(target: Target, captures: Captures): RulePath | undefined {
  const text = renderTemplate(target.plainPath, captures, (same) => same).replace(/\/{2,}/g, '/')
  const slash = text.endsWith('/')
  const path = text.slice(1, slash && text.length > 1 ? -1 : undefined)
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined
  return { path, slash }
}

/** The query that a rewrite leads to, with its `?`; none where the target has none of its own. */
export function renderQuery({ query }: Target, captures: Captures): { readonly query?: string } {
  return query === undefined ? {} : { query: `?${renderTemplate(query, captures, encodePart)}` }
}

/** True where nothing of a request changes where it leads, the query aside. */
export const isFixed = (target: Target): boolean => namesIn(target.path).length === 0
