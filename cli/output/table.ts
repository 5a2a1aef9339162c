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

/** Room for the last column: with less beside the others, rows are easier to read as blocks. */
const MIN_LAST_WIDTH = 20

/**
 * Rows with aligned columns, two spaces between them, none at the end of a line; a header where one is given. Where the columns
 * but the last do not fit into `columns` with some room beside them, each row becomes a block of lines instead: nothing is cut.
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  header?: readonly string[],
  columns?: number,
): string {
  const lines = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  for (const line of lines) {
    for (const [column, cell] of line.entries()) {
      const width = displayWidth(cell)
      widths[column] = Math.max(widths[column] ?? 0, width > MAX_COLUMN_WIDTH ? 0 : width)
    }
  }
  if (columns !== undefined && !fits(widths, columns))
    return header === undefined ? rows.map(stack).join('\n') : rows.map((row) => block(row, header)).join('\n\n')
  return lines
    .map((line) =>
      line
        .map((cell, column) => padEnd(cell, widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function fits(widths: readonly number[], columns: number): boolean {
  const left = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0)
  return left + Math.min(widths.at(-1) ?? 0, MIN_LAST_WIDTH) <= columns
}

/** A row without a header: what is said of the first cell stands below it. */
const stack = ([first = '', ...rest]: readonly string[]): string =>
  [first, ...rest.filter((cell) => cell !== '').map((cell) => `  ${cell}`)].join('\n')

/** A row as its header has it: a line for each cell that is not empty. */
function block(row: readonly string[], header: readonly string[]): string {
  const width = Math.max(...header.map(displayWidth))
  return row
    .map((cell, column) => (cell === '' ? '' : `${padEnd(header[column] ?? '', width)}  ${cell}`))
    .filter((line) => line !== '')
    .join('\n')
}

const padEnd = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - displayWidth(text)))

/** As much of a text without colours as fits into so many columns of a terminal: a line that is redrawn must not wrap. */
export function cutToWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let width = 0
  let cut = ''
  for (const { segment } of graphemes.segment(text)) {
    width += displayWidth(segment)
    if (width > columns - 1) break
    cut += segment
  }
  return columns < 1 ? '' : `${cut}…`
}
