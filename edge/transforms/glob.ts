import { MakiError } from '../../core/index.ts'

/** Which files a pattern means. Asking takes at most as many steps as `cost` and the path have characters, multiplied. */
export interface Glob {
  /** Characters of the pattern, its braces written out. */
  readonly cost: number
  matches(path: string): boolean
}

const MAX_CHARS = 1000
/** What braces come to, alternatives multiplied. */
const MAX_ALTERNATIVES = 64
const MAX_EXPANDED_CHARS = 4096

type Part =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | CharClass
  | { readonly kind: 'is'; readonly char: string }
interface CharClass {
  readonly kind: 'class'
  readonly isNegated: boolean
  readonly ranges: readonly (readonly [first: string, last: string])[]
}
/** Undefined: any number of folders. */
type Segment = readonly Part[] | undefined

/**
 * Reads a pattern for paths of files, from the root of the site: `*` and `?` stand for characters of one name, `**` as a whole
 * name for any number of folders, `[a-z]` and `[!a-z]` for one character, `{a,b}` for either; a backslash takes the meaning from
 * what follows it. Case counts; names that begin with a dot are as any other. As picomatch reads them, without its
 * backtracking. Throws MAKI_INVALID for what is none.
 */
export function parseGlob(pattern: string): Glob {
  if (pattern.length > MAX_CHARS) throw refuse(pattern, `it is longer than ${MAX_CHARS} characters`)
  const relative = pattern.replace(/^\.?\//, '')
  if (relative === '') throw refuse(pattern, 'it names no file')
  const texts = expandBraces(relative, pattern)
  const alternatives = texts.map((each) => parseAlternative(each, pattern))
  return {
    cost: texts.reduce((sum, text) => sum + text.length, 0),
    matches(path) {
      const names = path.split('/').map((name) => Array.from(name))
      return alternatives.some((segments) =>
        matchStars(segments, names, (segment) => segment === undefined, matchesName),
      )
    },
  }
}

function matchesName(segment: Segment, name: readonly string[]): boolean {
  return segment !== undefined && matchStars(segment, name, (part) => part.kind === 'star', matchesChar)
}

function matchesChar(part: Part, char: string): boolean {
  switch (part.kind) {
    case 'is':
      return part.char === char
    case 'any':
    case 'star':
      return true
    case 'class':
      return part.isNegated !== part.ranges.some(([first, last]) => char >= first && char <= last)
    default:
      return part satisfies never
  }
}

/** Only the last star passed has to be tried again: what one before it might take, this one can take as well. */
function matchStars<Wanted, Item>(
  pattern: readonly Wanted[],
  items: readonly Item[],
  isStar: (wanted: Wanted) => boolean,
  matches: (wanted: Wanted, item: Item) => boolean,
): boolean {
  let p = 0
  let i = 0
  let star = -1
  let from = 0
  while (i < items.length) {
    if (p < pattern.length && isStar(pattern[p] as Wanted)) {
      star = p++
      from = i
    } else if (p < pattern.length && matches(pattern[p] as Wanted, items[i] as Item)) {
      p++
      i++
    } else if (star !== -1) {
      p = star + 1
      i = ++from
    } else return false
  }
  while (p < pattern.length && isStar(pattern[p] as Wanted)) p++
  return p === pattern.length
}

function parseAlternative(text: string, pattern: string): readonly Segment[] {
  // A slash in brackets would never match; the bracket is then not closed.
  const segments = text.split('/').map((name): Segment => {
    if (name === '') throw refuse(pattern, 'it has an empty name between two slashes, or ends with one')
    return name === '**' ? undefined : parseName(name, pattern)
  })
  // At the end it means the files in all those folders, and not what stands before it.
  return segments.at(-1) === undefined ? [...segments, [{ kind: 'star' }]] : segments
}

function parseName(name: string, pattern: string): readonly Part[] {
  const parts: Part[] = []
  const chars = Array.from(name)
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string
    if ('@!+*?'.includes(char) && chars[at + 1] === '(')
      throw refuse(pattern, `${char}(…) has no meaning here`, 'Write alternatives in braces: {a,b}.')
    if (char === '*') {
      if (parts.at(-1)?.kind !== 'star') parts.push({ kind: 'star' })
    } else if (char === '?') parts.push({ kind: 'any' })
    else if (char === '[') {
      const end = findClassEnd(chars, at)
      if (end === -1) throw refuse(pattern, 'a bracket is not closed')
      parts.push(parseClass(chars.slice(at + 1, end), pattern))
      at = end
    } else if (char === '\\') {
      at++
      parts.push({ kind: 'is', char: requireEscaped(chars[at], pattern) })
    } else parts.push({ kind: 'is', char })
  }
  return parts
}

function findClassEnd(chars: readonly string[], open: number): number {
  let at = open + 1
  if (chars[at] === '!' || chars[at] === '^') at++
  // A bracket that stands first is one of the characters.
  if (chars[at] === ']') at++
  while (at < chars.length && chars[at] !== ']') at += chars[at] === '\\' ? 2 : 1
  return at < chars.length ? at : -1
}

function parseClass(inside: readonly string[], pattern: string): CharClass {
  const isNegated = inside[0] === '!' || inside[0] === '^'
  const chars: { readonly char: string; readonly isEscaped: boolean }[] = []
  for (let at = isNegated ? 1 : 0; at < inside.length; at++) {
    const isEscaped = inside[at] === '\\'
    if (isEscaped) at++
    chars.push({ char: requireEscaped(inside[at], pattern), isEscaped })
  }
  const ranges: [string, string][] = []
  for (let at = 0; at < chars.length; at++) {
    const first = chars[at]?.char as string
    const dash = chars[at + 1]
    const last = chars[at + 2]
    if (dash?.char === '-' && !dash.isEscaped && last !== undefined) {
      if (last.char < first) throw refuse(pattern, `the range ${first}-${last.char} is the wrong way round`)
      ranges.push([first, last.char])
      at += 2
    } else ranges.push([first, first])
  }
  if (ranges.length === 0) throw refuse(pattern, 'brackets are empty')
  return { kind: 'class', isNegated, ranges }
}

function requireEscaped(char: string | undefined, pattern: string): string {
  if (char === undefined) throw refuse(pattern, 'nothing follows its last backslash')
  return char
}

/** Replaces braces by what they stand for, outermost first. */
function expandBraces(text: string, pattern: string): readonly string[] {
  const done: string[] = []
  const waiting = [text]
  let chars = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const braces = findBraces(next, pattern)
    if (braces === undefined) {
      done.push(next)
      chars += next.length
    } else
      for (const option of braces.options)
        waiting.push(`${next.slice(0, braces.start)}${option}${next.slice(braces.end)}`)
    if (done.length + waiting.length > MAX_ALTERNATIVES || chars > MAX_EXPANDED_CHARS)
      throw refuse(pattern, `its braces come to more than ${MAX_ALTERNATIVES} alternatives, or to too long ones`)
  }
  return done
}

interface Braces {
  readonly start: number
  readonly end: number
  readonly options: readonly string[]
}

/** The first braces that are not escaped. */
function findBraces(text: string, pattern: string): Braces | undefined {
  let depth = 0
  let start = 0
  const cuts: number[] = []
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '\\') at++
    else if (char === '{' && depth++ === 0) start = at
    else if (char === ',' && depth === 1) cuts.push(at)
    else if (char === '}' && depth > 0 && --depth === 0) {
      if (cuts.length === 0) throw refuse(pattern, 'braces without a comma have no meaning', 'Write {a,b}, or \\{.')
      const bounds = [start, ...cuts, at]
      const options = bounds.slice(1).map((end, i) => text.slice((bounds[i] as number) + 1, end))
      return { start, end: at + 1, options }
    }
  }
  if (depth > 0) throw refuse(pattern, 'a brace is not closed')
  return undefined
}

function refuse(
  pattern: string,
  why: string,
  hint = 'For example: "**/*.html", or "blog/**/*.{html,xml}".',
): MakiError {
  const shown = pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern
  return new MakiError('MAKI_INVALID', `${JSON.stringify(shown)} is no pattern for files: ${why}`, { hint })
}
