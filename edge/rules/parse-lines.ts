import type { RuleFileName } from '../../core/index.ts'
import { MAX_LINE_CHARS, MAX_RULE_FILE_BYTES } from './limits.ts'
import { RuleFault, type RuleFinding, shorten } from './rule-file.ts'

/** A file of rules as text, and what is wrong with it as a whole. */
export interface RuleText {
  readonly lines: readonly string[]
  readonly faults: readonly RuleFinding[]
}

/** Splits a file into lines. Never throws: what is not UTF-8 is replaced, what is too long is cut; both are faults. */
export function readLines(file: RuleFileName, bytes: Uint8Array): RuleText {
  const faults: RuleFinding[] = []
  const fault = (line: number, message: string, hint: string): void => {
    faults.push({ file, line, rule: '', message, hint })
  }
  const isCut = bytes.length > MAX_RULE_FILE_BYTES
  const text = new TextDecoder().decode(isCut ? bytes.subarray(0, MAX_RULE_FILE_BYTES) : bytes)
  const lines = text.split(/\r\n|\n|\r/)
  if (isCut) {
    // The last line may be half of one.
    lines.pop()
    fault(lines.length + 1, `it has more than ${MAX_RULE_FILE_BYTES / 1e6} MB`, 'Let rules with * stand for many.')
  }
  const broken = lines.findIndex((line) => line.includes('\ufffd'))
  if (broken !== -1) fault(broken + 1, 'it is not UTF-8', 'Save it as UTF-8.')
  return { lines, faults }
}

/** Throws RuleFault for a line that no rule can be. */
export function checkLine(line: string): void {
  if (line.length > MAX_LINE_CHARS)
    throw new RuleFault(`the line has more than ${MAX_LINE_CHARS} characters`, 'Shorten it.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) throw new RuleFault('it has a control character', 'Leave it out.')
}

/** A finding of what was thrown for a line; throws on what is no fault of the line. */
export function findingOf(thrown: unknown, file: RuleFileName, line: number, rule: string): RuleFinding {
  if (!(thrown instanceof RuleFault)) throw thrown
  // A password that was written in clear is not written anywhere else.
  const shown = rule.trim().replace(/^basic-auth\s*:.*/i, 'Basic-Auth: …')
  return { file, line, rule: shorten(shown), message: thrown.message, hint: thrown.hint }
}
