import type { Captures } from './pattern.ts'

/** Text with places that captures go to. */
export type Template = readonly (string | { readonly name: string })[]

const NAME = /:([A-Za-z]\w*)/g

/**
 * Reads text with `:name` in it. A name that is captured nowhere stays as it stands, in full or after the longest captured
 * name that it begins with: `:splat_old` is `:splat` and `_old`. `literal` is made of the text between.
 */
export function parseTemplate(
  text: string,
  names: ReadonlySet<string>,
  literal: (text: string) => string = (same) => same,
): Template {
  const parts: (string | { name: string })[] = []
  const lengths = [...new Set([...names].map(({ length }) => length))].sort((a, b) => b - a)
  let at = 0
  for (const match of text.matchAll(NAME)) {
    const word = match[1] as string
    const name = findName(word, names, lengths)
    if (name === undefined) continue
    if (match.index > at) parts.push(literal(text.slice(at, match.index)))
    parts.push({ name })
    at = match.index + 1 + name.length
  }
  if (at < text.length) parts.push(literal(text.slice(at)))
  return parts
}

/** `lengths` are those of the names, the longest first: whatever a word's own length is, no more than these are tried. */
function findName(word: string, names: ReadonlySet<string>, lengths: readonly number[]): string | undefined {
  const length = lengths.find((length) => length <= word.length && names.has(word.slice(0, length)))
  return length === undefined ? undefined : word.slice(0, length)
}

/** The text, each capture as `encode` has it. */
export function renderTemplate(template: Template, captures: Captures, encode: (text: string) => string): string {
  let text = ''
  for (const part of template) text += typeof part === 'string' ? part : encode(captures.get(part.name) ?? '')
  return text
}

/** Captures that the template takes in. */
export const namesIn = (template: Template): string[] =>
  template.flatMap((part) => (typeof part === 'string' ? [] : [part.name]))

/** One segment, or several with slashes between them. */
export const encodeSegments = (text: string): string => text.split('/').map(encodePart).join('/')

/** Percent-encodes all that has a meaning in a URI, and all that is not ASCII. */
export const encodePart = (text: string): string => encodeURIComponent(text.toWellFormed())

/** What a URI may hold between its parts (RFC 3986): the marks of parts included, `#` too, which ends up in fragments. */
const UNSAFE = /%(?![0-9a-fA-F]{2})|[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]/gu

/** Percent-encodes what an author wrote and no URI may hold; encodings that are there stay. */
export const escapeLiteral = (text: string): string => text.toWellFormed().replace(UNSAFE, (c) => encodeURIComponent(c))
