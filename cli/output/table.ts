import { stripVTControlCharacters } from 'node:util'

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
/** East Asian wide and fullwidth, and emoji, take two columns (UAX #11). */
const WIDE =
  /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}])/u
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** Columns that a text takes on a terminal, colours not counted. */
export function displayWidth(text: string): number {
  const plain = stripVTControlCharacters(text)
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length
  let width = 0
  for (const { segment } of graphemes.segment(plain)) width += WIDE.test(segment) ? 2 : ZERO_WIDTH.test(segment) ? 0 : 1
  return width
}

/** Longer cells, like keys in TXT records, push what follows them on their own line, not on all lines. */
const MAX_COLUMN_WIDTH = 80

/** Rows with aligned columns, two spaces between them, none at the end of a line; a header where one is given. */
export function formatTable(rows: readonly (readonly string[])[], header?: readonly string[]): string {
  const lines = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  for (const line of lines) {
    for (const [column, cell] of line.entries()) {
      const width = displayWidth(cell)
      widths[column] = Math.max(widths[column] ?? 0, width > MAX_COLUMN_WIDTH ? 0 : width)
    }
  }
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
