import { stripVTControlCharacters, styleText } from 'node:util'
import type { Host, TextSink } from '../program/host.ts'

type Format = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Colours text, or leaves it as it is where there is no terminal, or `NO_COLOR` or `CI` is set (https://no-color.org). */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  /** Something is wrong. */
  bad(text: string): string
  /** All is well. */
  good(text: string): string
  /** Worth a look. */
  warn(text: string): string
  /** A name that can be typed. */
  name(text: string): string
}

export function createStyle(sink: TextSink, env: Host['env']): Style {
  const colours = sink.isTerminal && !env.NO_COLOR && !saysYes(env.CI) && env.TERM !== 'dumb'
  const paint =
    (format: Format) =>
    (text: string): string =>
      colours ? styleText(format, text, { validateStream: false }) : text
  return {
    bold: paint('bold'),
    dim: paint('dim'),
    bad: paint('red'),
    good: paint('green'),
    warn: paint('yellow'),
    name: paint('cyan'),
  }
}

/** True where progress may be redrawn on one line. */
export const isInteractive = (host: Host): boolean => host.stderr.isTerminal && !saysYes(host.env.CI)

/** Not set, empty, and the words that say no are no. */
const saysYes = (value: string | undefined): boolean => value !== undefined && !['', '0', 'false'].includes(value)

/**
 * Text from elsewhere (names, messages, paths) for a terminal: control characters, which could move the cursor or
 * recolour the screen, become visible escapes; newlines too.
 */
export function plainLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.codePointAt(0) as number
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

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

/** Rows with aligned columns, two spaces between them, none at the end of a line; a header where one is given. */
export function formatTable(rows: readonly (readonly string[])[], header?: readonly string[]): string {
  const lines = header === undefined ? rows : [header, ...rows]
  const widths: number[] = []
  for (const line of lines) {
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell))
  }
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const

/** Decimal units, as disks and providers count. */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`
  let size = sizeBytes
  let unit = -1
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000
    unit++
  }
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`
}

/** `1 file`, `2 files`; the plural is given where it is irregular. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
