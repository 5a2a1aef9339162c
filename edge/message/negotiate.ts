/** A content coding that we make (RFC 9110 section 8.4.1, RFC 7932, RFC 9659). */
export type Coding = 'br' | 'zstd' | 'gzip'

/** The smallest first, by what was measured (docs/compression.md): among those that a client likes equally this decides. */
export const CODINGS: readonly Coding[] = ['br', 'zstd', 'gzip']

/** What a client takes, the best first; `identity` is absent where it was refused. */
export type CodingRank = readonly (Coding | 'identity')[]

const IDENTITY_ONLY: CodingRank = ['identity']
/** Browsers send 30 characters. What is longer wants us to work. */
const MAX_LENGTH = 1024
/** There are some dozens of spellings in the world; the bound is against who makes up more. */
const MAX_REMEMBERED = 256
const MAX_REMEMBERED_LENGTH = 128
const remembered = new Map<string, CodingRank>()

/**
 * Reads Accept-Encoding (RFC 9110 section 12.5.3). Ours is the order among equal weights: br, zstd, gzip, then identity. A
 * field that is missing, too long or not well-formed asks for identity; of a coding that stands twice the lower weight
 * counts. Equal values give the same array.
 */
export function rankCodings(field: string | undefined): CodingRank {
  if (field === undefined || field.length > MAX_LENGTH) return IDENTITY_ONLY
  const known = remembered.get(field)
  if (known !== undefined) return known
  const rank = buildRank(field)
  if (field.length <= MAX_REMEMBERED_LENGTH) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(field, rank)
  }
  return rank
}

const ELEMENT = /^([!#$%&'*+\-.^_`|~0-9a-z]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?$/
/** RFC 9110 section 8.4.1.3: to be taken as gzip. */
const ALIASES: ReadonlyMap<string, string> = new Map([['x-gzip', 'gzip']])

function buildRank(field: string): CodingRank {
  const weights = new Map<string, number>()
  for (const part of field.toLowerCase().split(',')) {
    const text = trimSpace(part)
    // RFC 9110 section 5.6.1.2: empty elements are passed over.
    if (text === '') continue
    const match = ELEMENT.exec(text)
    if (match === null) return IDENTITY_ONLY
    const [, name, q = '1'] = match as unknown as [string, string, string | undefined]
    const coding = ALIASES.get(name) ?? name
    weights.set(coding, Math.min(Number(q), weights.get(coding) ?? 1))
  }
  const others = weights.get('*')
  const ranked = [...CODINGS, 'identity' as const].map((coding) => ({
    coding,
    // Identity is taken unless it is refused, and liked least unless it is named.
    weight: weights.get(coding) ?? others ?? (coding === 'identity' ? Number.MIN_VALUE : 0),
  }))
  return ranked
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ coding }) => coding)
}

/** Spaces and tabs only, which are all that may stand there; `trim` takes more. */
function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charCodeAt(start))) start++
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09
