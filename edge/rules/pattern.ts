import { MAX_LOOSE_CHARS, MAX_WILDCARDS } from './limits.ts'
import { type LoosePart, matchLoose } from './loose-match.ts'
import { RuleFault } from './rule-file.ts'

/** What wildcards and placeholders stood for, decoded; `*` is named `splat`. */
export type Captures = ReadonlyMap<string, string>

export const NO_CAPTURES: Captures = new Map()

/** One segment of a pattern that is made of whole ones. */
type Segment = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'one'; readonly name: string }

/** The source of a rule, a path. Paths are compared decoded, without first and final slash, case-sensitive. */
export type PathPattern = {
  /** What every path that matches begins with. */
  readonly prefix: string
  /** The first segment, when it is the same of all paths that match; undefined when it can be several. */
  readonly first: string | undefined
  /** In the order in which they stand; `splat` for a `*`. */
  readonly names: readonly string[]
} & (
  | { readonly kind: 'exact'; readonly path: string }
  /** Whole segments, and possibly a `*` as the last. */
  | { readonly kind: 'segments'; readonly segments: readonly Segment[]; readonly rest: boolean }
  /** Anything else, such as `/*.jpg` or `/post-:id`. */
  | { readonly kind: 'loose'; readonly parts: readonly LoosePart[] }
)

/**
 * Reads the path of a source: literal text, percent-encoded or not; `:name` for one or more characters of a segment;
 * `*` for any characters. A `*` that is a whole segment stands for any number of segments, none included; with `splats`
 * there may be several, which then have no name. Throws RuleFault.
 */
export function parsePattern(source: string, options: { readonly splats: boolean }): PathPattern {
  if (!source.startsWith('/')) throw new RuleFault('a path begins with a slash', `Write /${source}`)
  const text = source.replace(/\/{2,}/g, '/').replace(/^\/|\/$/g, '')
  const tokens = tokenize(text)
  const names = tokens.flatMap((token) => (token.kind === 'text' ? [] : [token.name]))
  checkNames(names, options.splats)
  const segments = text === '' ? [] : text.split('/').map(tokenize)
  for (const segment of segments) checkSegment(segment)
  checkDots(segments.map((segment) => (segment.every(({ kind }) => kind === 'text') ? decodeSegment(segment) : '')))
  const prefix = tokens[0]?.kind === 'text' ? tokens[0].text : ''
  const whole = segments[0]?.length === 1 ? segments[0][0] : undefined
  const common = { prefix, first: whole?.kind === 'text' ? whole.text : undefined, names }
  if (names.length === 0) return { ...common, kind: 'exact', path: segments.map(decodeSegment).join('/') }
  const found = findSegments(segments)
  if (found === undefined && text.length > MAX_LOOSE_CHARS)
    throw new RuleFault(
      `a source with a wildcard inside of a segment, or a * before its end, has ${MAX_LOOSE_CHARS} characters at most`,
      'Let wildcards be whole segments, and * the last.',
    )
  const pattern: PathPattern =
    found === undefined
      ? { ...common, kind: 'loose', parts: buildLoose(segments) }
      : { ...common, kind: 'segments', ...found }
  // `/news/*` is `/news` too.
  return pattern.kind === 'segments' && pattern.rest ? { ...pattern, prefix: prefix.replace(/\/$/, '') } : pattern
}

/**
 * What a path stands for in a pattern; undefined when it does not match. `slash`: the path ended in one, which `*` at the
 * end takes in. Takes time in proportion to the lengths of both, multiplied for loose patterns, whose length is bounded.
 */
export function matchPattern(pattern: PathPattern, path: string, slash: boolean): Captures | undefined {
  switch (pattern.kind) {
    case 'exact':
      return pattern.path === path ? NO_CAPTURES : undefined
    case 'segments':
      return path.startsWith(pattern.prefix) ? matchSegments(pattern, path, slash) : undefined
    case 'loose': {
      if (!path.startsWith(pattern.prefix)) return undefined
      const values = matchLoose(pattern.parts, path, '/')
      if (values === undefined) return undefined
      const captures = new Map(pattern.names.map((name, i) => [name, values[i] as string]))
      const last = pattern.parts.at(-1)?.kind
      const splat = captures.get('splat')
      if (slash && splat !== undefined && splat !== '' && (last === 'rest' || last === 'any'))
        captures.set('splat', `${splat}/`)
      return captures
    }
    default:
      return pattern satisfies never
  }
}

function matchSegments(
  { segments, rest }: Extract<PathPattern, { kind: 'segments' }>,
  path: string,
  slash: boolean,
): Captures | undefined {
  const captures = new Map<string, string>()
  // Where the next segment begins; past the end when there is none.
  let at = path === '' ? 1 : 0
  for (const segment of segments) {
    if (at > path.length) return undefined
    const next = path.indexOf('/', at)
    const end = next === -1 ? path.length : next
    if (segment.kind === 'one') captures.set(segment.name, path.slice(at, end))
    else if (end - at !== segment.text.length || !path.startsWith(segment.text, at)) return undefined
    at = end + 1
  }
  if (!rest) return at > path.length ? captures : undefined
  const splat = at > path.length ? '' : path.slice(at)
  captures.set('splat', slash && splat !== '' ? `${splat}/` : splat)
  return captures
}

type Token = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'one' | 'any'; readonly name: string }

const WILDCARD = /\*|:([A-Za-z]\w*)/g

/** Text, placeholders and stars of a pattern; text is decoded. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  for (const match of text.matchAll(WILDCARD)) {
    if (match.index > at) tokens.push({ kind: 'text', text: decodeText(text.slice(at, match.index)) })
    const [found, name] = match
    tokens.push(name === undefined ? { kind: 'any', name: 'splat' } : { kind: 'one', name })
    at = match.index + found.length
  }
  if (at < text.length) tokens.push({ kind: 'text', text: decodeText(text.slice(at)) })
  return tokens
}

/** Decodes percent-encoding in what an author wrote. Throws RuleFault for what no request can have. */
export function decodeText(text: string): string {
  if (/%2f|%5c|%00|\\/i.test(text))
    throw new RuleFault('no path has a backslash, or an encoded slash or NUL', 'Leave it out.')
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new RuleFault('a % begins the encoding of no UTF-8 character', 'Write %25 for a percent sign.')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(decoded)) throw new RuleFault('it has a control character', 'Leave it out.')
  return decoded
}

function checkNames(names: readonly string[], splats: boolean): void {
  if (names.length > MAX_WILDCARDS)
    throw new RuleFault(`it has more than ${MAX_WILDCARDS} wildcards`, 'Let one * stand for several of them.')
  const twice = names.find((name, i) => names.indexOf(name) !== i && !(splats && name === 'splat'))
  if (twice === 'splat')
    throw new RuleFault('there may be one *, which is what :splat stands for', 'Write :name for a single segment.')
  if (twice !== undefined) throw new RuleFault(`:${twice} stands in it twice`, 'Give each placeholder its own name.')
}

function checkSegment(segment: readonly Token[]): void {
  for (const [i, token] of segment.entries())
    if (token.kind !== 'text' && segment[i + 1] !== undefined && segment[i + 1]?.kind !== 'text')
      throw new RuleFault('between two wildcards there must be something', 'Write one wildcard for both.')
}

/** Throws RuleFault where a segment is one that no path has. */
export function checkDots(segments: readonly string[]): void {
  if (segments.includes('.') || segments.includes('..'))
    throw new RuleFault('a path has no segments . and ..', 'Write the path that they lead to.')
}

const decodeSegment = (segment: readonly Token[]): string =>
  segment.map((token) => (token.kind === 'text' ? token.text : '')).join('')

const isStar = (segment: readonly Token[] | undefined): boolean => segment?.length === 1 && segment[0]?.kind === 'any'

function findSegments(segments: readonly Token[][]): { segments: Segment[]; rest: boolean } | undefined {
  const rest = isStar(segments.at(-1))
  const before = rest ? segments.slice(0, -1) : segments
  const found: Segment[] = []
  for (const segment of before) {
    const [token] = segment
    if (segment.length !== 1 || token === undefined || token.kind === 'any') return undefined
    found.push(token as Segment)
  }
  return { segments: found, rest }
}

function buildLoose(segments: readonly Token[][]): LoosePart[] {
  const parts: LoosePart[] = []
  const add = (text: string): void => {
    const last = parts.at(-1)
    if (last?.kind === 'text') parts[parts.length - 1] = { kind: 'text', text: last.text + text }
    else parts.push({ kind: 'text', text })
  }
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1
    if (isStar(segment)) {
      // Before it there is no slash yet: it takes its own.
      if (isLast) parts.push({ kind: i === 0 || isStar(segments[i - 1]) ? 'any' : 'rest' })
      else parts.push({ kind: 'folders' })
      continue
    }
    for (const token of segment) {
      if (token.kind === 'text') add(token.text)
      else parts.push({ kind: token.kind })
    }
    if (!isLast && !(isStar(segments[i + 1]) && i + 1 === segments.length - 1)) add('/')
  }
  return parts
}
