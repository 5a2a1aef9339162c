import { findHost } from '../message/index.ts'
import { MAX_LOOSE_CHARS } from './limits.ts'
import { type LoosePart, matchLoose } from './loose-match.ts'
import { type Captures, matchPattern, NO_CAPTURES, type PathPattern, parsePattern, tokenize } from './pattern.ts'
import { RuleFault } from './rule-file.ts'

/** Which requests a rule is about. */
export interface Source {
  readonly scheme: 'http' | 'https' | undefined
  readonly host: HostPattern | undefined
  readonly path: PathPattern
}

/** The host of a source that is a full URL. */
export interface HostPattern {
  /** As written, in lower case. */
  readonly text: string
  /** Undefined for a plain name, which is compared whole. */
  readonly parts: readonly LoosePart[] | undefined
  readonly names: readonly string[]
}

/** A path of a site, decoded, as rules see it: without first and final slash, no two of them in a row. */
export interface RulePath {
  readonly path: string
  /** It ended in a slash. */
  readonly slash: boolean
}

/**
 * Reads a source: a path, or an http or https URL without port, whose host may have `:name` for a label and one `*`.
 * Throws RuleFault.
 */
export function parseSource(text: string, options: { readonly splats: boolean }): Source {
  if (text.includes('#')) throw new RuleFault('browsers keep what follows a # to themselves', 'Leave it out.')
  const query = text.indexOf('?')
  if (query !== -1)
    throw new RuleFault(
      'a source has no query',
      `Write ${text.slice(0, query) || '/'}${options.splats ? '' : ` ${text.slice(query + 1).replaceAll('&', ' ')}`}`,
    )
  const url = /^(https?):\/\/([^/]*)(.*)$/.exec(text)
  if (url === null) {
    if (!text.startsWith('/'))
      throw new RuleFault('a source begins with a slash, or with https://', `Write /${text.replace(/^[/.]*/, '')}`)
    return { scheme: undefined, host: undefined, path: parsePattern(text, options) }
  }
  const [, scheme, host, path] = url as unknown as [string, 'http' | 'https', string, string]
  const source = { scheme, host: parseHostPattern(host), path: parsePattern(path === '' ? '/' : path, options) }
  const twice = source.host.names.find((name) => source.path.names.includes(name))
  if (twice !== undefined)
    throw new RuleFault(
      twice === 'splat' ? 'there may be one *, which is what :splat stands for' : `:${twice} stands in it twice`,
      'Give each placeholder its own name.',
    )
  return source
}

function parseHostPattern(text: string): HostPattern {
  const host = text.toLowerCase()
  if (/:\d*$/.test(host)) throw new RuleFault('a source has no port', `Write ${host.replace(/:\d*$/, '')}`)
  // Names of placeholders have no case to keep apart in a host.
  const tokens = tokenize(text)
  const names = tokens.flatMap((token) => (token.kind === 'text' ? [] : [token.name]))
  if (names.length === 0) {
    const name = findHost(host)
    if (name === undefined) throw new RuleFault(`${JSON.stringify(host)} is no host name`, 'Write https://host/path')
    return { text: name, parts: undefined, names }
  }
  if (new Set(names).size < names.length)
    throw new RuleFault('a name stands in the host twice', 'Give each placeholder its own name.')
  if (host.length > MAX_LOOSE_CHARS || /[^a-z0-9_.*:-]/.test(host))
    throw new RuleFault(`${JSON.stringify(host)} is no host name`, 'Write https://:name.host/path')
  if (tokens.some((token, i) => token.kind !== 'text' && (tokens[i + 1]?.kind ?? 'text') !== 'text'))
    throw new RuleFault('between two wildcards there must be something', 'Write one wildcard for both.')
  const parts = tokens.map(
    (token): LoosePart =>
      token.kind === 'text' ? { kind: 'text', text: token.text.toLowerCase() } : { kind: token.kind },
  )
  return { text: host, parts, names }
}

/** What the wildcards of a host stand for; undefined when it is another one. `host` is in lower case. */
export function matchHost(pattern: HostPattern, host: string): Captures | undefined {
  if (pattern.parts === undefined) return pattern.text === host ? NO_CAPTURES : undefined
  const values = matchLoose(pattern.parts, host, '.')
  if (values === undefined) return undefined
  return new Map(pattern.names.map((name, i) => [name, values[i] as string]))
}

/** Captures of both, or undefined where one does not match. The scheme is the caller's to compare. */
export function matchSource(source: Source, host: string, { path, slash }: RulePath): Captures | undefined {
  const inPath = matchPattern(source.path, path, slash)
  if (inPath === undefined || source.host === undefined) return inPath
  const inHost = matchHost(source.host, host)
  if (inHost === undefined || inHost.size === 0) return inHost === undefined ? undefined : inPath
  return new Map([...inHost, ...inPath])
}
