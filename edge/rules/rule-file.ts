import type { RuleFileName } from '../../core/index.ts'

/** A line that is no rule, or one that does not do what its author may think. */
export interface RuleFinding {
  readonly file: RuleFileName
  /** From 1. */
  readonly line: number
  /** The rule as it stands there, shortened. */
  readonly rule: string
  /** Why. */
  readonly message: string
  /** What to write instead. */
  readonly hint: string
}

const SHOWN_CHARS = 80

/** Cuts what is shown of a line. */
export const shorten = (text: string): string => (text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text)

/** Thrown while one line is read, and caught there: the line is a fault, and the others are read all the same. */
export class RuleFault extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}
