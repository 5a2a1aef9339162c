import type { ImageFormat, ImageSettings } from './image-settings.ts'

export type Fit = 'max' | 'pad' | 'crop' | 'stretch'

/** What a query asks for; what is undefined was not said. */
export interface ImageParameters {
  readonly width: number | undefined
  readonly height: number | undefined
  readonly fit: Fit
  readonly format: ImageFormat | 'auto' | undefined
  readonly quality: number | undefined
}

export type ParsedParameters =
  /** The query has none of our names: the file is asked for as it is. */
  | { readonly kind: 'none' }
  | { readonly kind: 'parameters'; readonly parameters: ImageParameters }
  /** `reason` is a sentence in ASCII that repeats nothing of the query. */
  | { readonly kind: 'bad'; readonly reason: string }

const NAMES = ['w', 'h', 'fit', 'fmt', 'q'] as const
type Name = (typeof NAMES)[number]

const FITS: readonly Fit[] = ['max', 'pad', 'crop', 'stretch']
const WHOLE = /^[1-9][0-9]{0,4}$/
const MAX_QUALITY = 100

class Bad extends Error {}

/**
 * Reads `w h fit fmt q` from a query with its `?`. Names are case-sensitive, unknown ones are not ours. Each may stand
 * once; sizes and quality are whole numbers in plain digits. Never throws.
 */
export function parseParameters(query: string, settings: ImageSettings): ParsedParameters {
  try {
    const values = readValues(query)
    if (values.size === 0) return { kind: 'none' }
    return { kind: 'parameters', parameters: readParameters(values, settings) }
  } catch (error) {
    if (error instanceof Bad) return { kind: 'bad', reason: error.message }
    throw error
  }
}

function readValues(query: string): ReadonlyMap<Name, string> {
  const values = new Map<Name, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    const ours = NAMES.find((known) => known === name)
    if (ours === undefined) continue
    if (values.has(ours)) throw new Bad(`${ours} stands more than once`)
    values.set(ours, value)
  }
  return values
}

function readParameters(values: ReadonlyMap<Name, string>, settings: ImageSettings): ImageParameters {
  const width = readWhole('w', values.get('w'), settings.maxWidth)
  const height = readWhole('h', values.get('h'), settings.maxHeight)
  const { widths } = settings
  if (widths.length > 0) {
    if (width !== undefined && !widths.includes(width))
      throw new Bad(`w may be ${formatList(widths.map(String))} on this node`)
    if (width === undefined && height !== undefined)
      throw new Bad(`h needs w here, which may be ${formatList(widths.map(String))}`)
  }
  const fit = readWord('fit', values.get('fit'), FITS)
  if (fit !== undefined && width === undefined && height === undefined) throw new Bad('fit needs w or h')
  return {
    width,
    height,
    fit: fit ?? 'max',
    format: readFormat(values.get('fmt'), settings.formats),
    quality: readWhole('q', values.get('q'), MAX_QUALITY),
  }
}

function readWhole(name: Name, value: string | undefined, most: number): number | undefined {
  if (value === undefined) return undefined
  const number = WHOLE.test(value) ? Number(value) : 0
  if (number < 1 || number > most) throw new Bad(`${name} must be a whole number from 1 to ${most}`)
  return number
}

function readWord<Word extends string>(
  name: Name,
  value: string | undefined,
  words: readonly Word[],
): Word | undefined {
  if (value === undefined) return undefined
  const word = words.find((known) => known === value)
  if (word === undefined) throw new Bad(`${name} must be ${formatList(words)}`)
  return word
}

function readFormat(value: string | undefined, formats: readonly ImageFormat[]): ImageFormat | 'auto' | undefined {
  return readWord('fmt', value === 'jpeg' ? 'jpg' : value, [...formats, 'auto' as const])
}

function formatList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
