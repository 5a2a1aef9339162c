/** A part of a pattern that is not made of whole segments. */
export type LoosePart =
  | { readonly kind: 'text'; readonly text: string }
  /** One character or more, none of which is the separator. */
  | { readonly kind: 'one' }
  /** Any characters. */
  | { readonly kind: 'any' }
  /** Whole segments, each with the separator after it, or nothing; begins where a segment does. */
  | { readonly kind: 'folders' }
  /** Nothing at the end, or a separator and any characters after it. */
  | { readonly kind: 'rest' }

/**
 * What each part other than text stands for, or undefined when the text does not match: as the greedy regular expression
 * would have it, each as long as the parts after it allow. A table is filled from the end, so nothing is tried twice:
 * the time is the product of both lengths at most, whatever they are.
 */
export function matchLoose(parts: readonly LoosePart[], text: string, separator: string): string[] | undefined {
  const tail = parts.at(-1)
  if (tail?.kind === 'text' && !text.endsWith(tail.text)) return undefined
  const table = fillTable(parts, text, separator)
  if (table[0]?.[0] !== 1) return undefined
  const captured: string[] = []
  let at = 0
  for (const [i, part] of parts.entries()) {
    if (part.kind === 'text') {
      at += part.text.length
      continue
    }
    const end = findEnd(part, text, at, table[i + 1] as Uint8Array, separator)
    captured.push(clean(part, text.slice(at, end), separator))
    at = end
  }
  return captured
}

/** `table[i][at]`: the parts from i on match the text from `at` to its end. */
function fillTable(parts: readonly LoosePart[], text: string, separator: string): Uint8Array[] {
  const { length } = text
  const table: Uint8Array[] = []
  const last = new Uint8Array(length + 2)
  last[length] = 1
  table[parts.length] = last
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i] as LoosePart
    const after = table[i + 1] as Uint8Array
    const row = new Uint8Array(length + 2)
    // Whether the parts after it match from a place further on that this part may end at.
    let reachable = 0
    for (let at = length; at >= 0; at--) {
      const next = after[at] as number
      const before = at === 0 ? separator : (text[at - 1] as string)
      switch (part.kind) {
        case 'text':
          row[at] = (after[at + part.text.length] ?? 0) === 1 && text.startsWith(part.text, at) ? 1 : 0
          break
        case 'one':
          row[at] = at < length && text[at] !== separator ? (after[at + 1] as number) | (row[at + 1] as number) : 0
          break
        case 'any':
          reachable |= next
          row[at] = reachable
          break
        case 'folders':
          row[at] = before === separator ? next | reachable : 0
          if (at > 0 && before === separator) reachable |= next
          break
        case 'rest':
          reachable |= next
          row[at] = at === length || text[at] === separator ? reachable : 0
          break
        default:
          part satisfies never
      }
    }
    table[i] = row
  }
  return table
}

/** The last place where the part can end. */
function findEnd(part: LoosePart, text: string, at: number, after: Uint8Array, separator: string): number {
  if (part.kind === 'one') {
    const next = text.indexOf(separator, at)
    let end = next === -1 ? text.length : next
    while (after[end] !== 1) end--
    return end
  }
  let end = text.length
  while (end > at && !(after[end] === 1 && (part.kind !== 'folders' || text[end - 1] === separator))) end--
  return end
}

function clean(part: LoosePart, captured: string, separator: string): string {
  if (part.kind === 'folders' && captured.endsWith(separator)) return captured.slice(0, -1)
  if (part.kind === 'rest' && captured.startsWith(separator)) return captured.slice(1)
  return captured
}
