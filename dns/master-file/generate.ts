import type { Refusal } from './refusal.ts'
import type { Token } from './scan-entries.ts'

/** Steps of one `$GENERATE`: the addresses of a /16. */
const MAX_STEPS = 65_536
const MAX_WIDTH = 255

/**
 * The entries that `$GENERATE start-stop[/step] lhs [ttl] [class] type rhs` stands for (BIND 9 manual, "The $GENERATE
 * Directive"), one after another. `words` are those behind the directive; `most` are the characters that the entries may
 * have in all, `characters` what they have at most.
 */
export function readGenerate(
  words: readonly Token[],
  most: number,
): { readonly entries: Iterable<readonly Token[]>; readonly characters: number } | Refusal {
  const range = /^([0-9]{1,10})-([0-9]{1,10})(?:\/([0-9]{1,10}))?$/.exec(words[0]?.text ?? '')
  const template = words.slice(1)
  if (range === null || template.length < 3) {
    return { fault: 'it is not of the form $GENERATE 1-10 name type value' }
  }
  const [first, last, step] = [Number(range[1]), Number(range[2]), Number(range[3] ?? 1)]
  if (step < 1 || last < first || last > 0x7fff_ffff) return { fault: 'its range is not from less to more' }
  const steps = Math.floor((last - first) / step) + 1
  if (steps > MAX_STEPS) return { fault: `it stands for ${steps} records, ${MAX_STEPS} are allowed` }
  const pieces: (readonly Piece[])[] = []
  for (const { text } of template) {
    const parsed = parseTemplate(text)
    if ('fault' in parsed) return parsed
    pieces.push(parsed)
  }
  const widest = pieces
    .flat()
    .reduce((sum, piece) => sum + (typeof piece === 'string' ? piece.length : 11 + piece.width), 0)
  const characters = widest * steps
  if (characters > most) return { fault: 'what all $GENERATE lines stand for is longer than a file may be' }
  return { entries: generate(template, pieces, { first, last, step }), characters }
}

function* generate(
  template: readonly Token[],
  pieces: readonly (readonly Piece[])[],
  { first, last, step }: { first: number; last: number; step: number },
): Generator<readonly Token[], void, undefined> {
  for (let value = first; value <= last; value += step) {
    yield template.map(({ quoted, foreign }, i) => ({
      quoted,
      foreign,
      text: (pieces[i] ?? []).map((piece) => fill(piece, value)).join(''),
    }))
  }
}

interface Place {
  readonly offset: number
  readonly width: number
  readonly base: string
}
/** Text as it is, or where the number goes. */
type Piece = string | Place

const PIECES = /\\\$|\$\$|\$\{([^}]{0,40})\}|\$|(?:\\[^$]|[^$\\])+/gy

function parseTemplate(text: string): readonly Piece[] | Refusal {
  const pieces: Piece[] = []
  let end = 0
  for (const match of text.matchAll(PIECES)) {
    const [piece, modifiers] = match
    end = match.index + piece.length
    if (piece === '\\$' || piece === '$$') pieces.push('$')
    else if (piece === '$') pieces.push({ offset: 0, width: 0, base: 'd' })
    else if (modifiers === undefined) pieces.push(piece)
    else {
      const parsed = /^(-?[0-9]{1,9})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?$/.exec(modifiers)
      const width = Number(parsed?.[2] ?? 0)
      if (parsed === null || width > MAX_WIDTH)
        return { fault: `\${${modifiers}} is not of the form \${offset,width,base}` }
      pieces.push({ offset: Number(parsed[1]), width, base: parsed[3] ?? 'd' })
    }
  }
  return end === text.length ? pieces : { fault: `it cannot be read from ${JSON.stringify(text.slice(end, end + 20))}` }
}

function fill(piece: Piece, value: number): string {
  if (typeof piece === 'string') return piece
  const { offset, width, base } = piece
  const number = value + offset
  switch (base) {
    case 'o':
      return number.toString(8).padStart(width, '0')
    case 'x':
      return number.toString(16).padStart(width, '0')
    case 'X':
      return number.toString(16).toUpperCase().padStart(width, '0')
    case 'n':
      return nibbles(number.toString(16), width)
    case 'N':
      return nibbles(number.toString(16).toUpperCase(), width)
    default:
      return String(number).padStart(width, '0')
  }
}

/** Hexadecimal digits from the last to the first with dots between, as below ip6.arpa; the width counts the dots. */
function nibbles(digits: string, width: number): string {
  const padded = digits.padStart(Math.ceil(width / 2), '0')
  return [...padded].reverse().join('.')
}
