import { styleText } from 'node:util'
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
  /** Width of the terminal, which tables fold to; undefined where there is none, and lines may be of any length. */
  readonly columns: number | undefined
  /** Whether colours are written at all. */
  readonly isColoured: boolean
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
    // A terminal that does not know its size says 0.
    columns: sink.isTerminal ? sink.columns || undefined : undefined,
    isColoured: colours,
  }
}

/** True where progress may be redrawn on one line. */
export const isInteractive = (host: Host): boolean =>
  host.stderr.isTerminal && !saysYes(host.env.CI) && host.env.TERM !== 'dumb'

/** Not set, empty, and the words that say no are no. */
const saysYes = (value: string | undefined): boolean => value !== undefined && !['', '0', 'false'].includes(value)
