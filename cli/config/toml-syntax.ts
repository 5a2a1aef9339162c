import { MakiError } from '../../core/index.ts'
import type { Position } from './position.ts'

/** What the parser says, in words that name what is wrong and what would be right. */
const EXPLANATIONS: readonly (readonly [said: string, wrong: string, expected: string])[] = [
  ['Unterminated string', 'a text has no closing quote', 'the closing quote on the same line'],
  ['Unterminated table-key', 'a table header is not closed', ']'],
  ['Unterminated array', 'an array is not closed', ']'],
  ['Unterminated inline table', 'an inline table is not closed', '}'],
  ['Empty bare keys', 'a key is missing', 'a name like path'],
  ['Must be a newline', 'there is more after the end of the value', 'a new line'],
  ['Expected equal', 'the key has no value', '= and a value'],
  ['Unspecified values', 'a value is missing', 'text in quotes, a number, true, false, [an array] or {a table}'],
  ['Expected comma', 'two values are not separated', 'a comma'],
  ['Defining a key multiple times', 'this key or table stands twice', 'each name once'],
  ['Unexpected character', 'this cannot stand here', 'a key, or a value: text in quotes, a number, true or false'],
  ['Unexpected token', 'this cannot stand here', 'a key, or a value: text in quotes, a number, true or false'],
  ['Control characters', 'there is a control character', 'its escape, like \\u0007'],
  ['The key, equals sign', 'the line ends too early', 'key, = and value, or a closed table header, on one line'],
  ['No newlines are allowed', 'an inline table goes over the line’s end', '} on the same line'],
  ['Underscores are allowed', 'an underscore stands at the edge of a number', 'underscores between digits'],
  ['Unexpected spaces', 'there is a space where none can be', 'no space'],
  ['Three or more quotes', 'there are too many quotes', 'at most two quotes in a row'],
  ['Unexpected invalid date', 'there is no such date', 'a date like 2026-11-22'],
  ['Unexpected invalid time', 'there is no such time', 'a time like 10:30:00'],
  ['Leading zeros', 'the number starts with a zero', 'the number without it'],
  ['Trailing comma', 'there is a comma before the }', 'no comma there'],
  ['Invalid character in escape', 'there is no such escape', '\\\\ for a backslash, or text in single quotes'],
  ['Consecutive dots', 'the key has two dots in a row', 'one dot'],
  ['Keys cannot end', 'the key ends in a dot', 'a name after it'],
  ['Keys cannot start', 'the key starts with a dot', 'a name before it'],
]

/** Longest piece of a line that a message shows. */
const SHOWN_LINE_LENGTH = 100

/** The error for a file that is no TOML: where, the line itself with a caret below it, and what was expected. */
export function explainSyntax(fault: Error, seenAt: Position, source: string, file: string): MakiError {
  const emptyAt = findMissingValue(source, seenAt)
  const at = emptyAt ?? seenAt
  const said = emptyAt === undefined ? fault.message : 'Unspecified values'
  const known = EXPLANATIONS.find(([start]) => said.startsWith(start))
  const wrong = known?.[1] ?? fault.message
  const expected = known === undefined ? '' : ` expected: ${known[2]}`
  const message = `${file}:${at.line}:${at.column}: ${wrong}\n${buildFrame(source, at)}${expected}`
  return new MakiError('MAKI_CONFIG', message, {
    cause: fault,
    hint: `Correct line ${at.line} of ${file}. Its format is TOML: https://toml.io/en/v1.0.0`,
  })
}

/** `path =` with nothing behind it: the parser takes the next line for the value and complains there. */
function findMissingValue(source: string, at: Position): Position | undefined {
  const lines = source.split('\n')
  if (!/^[\s[]*$/.test(lines[at.line - 1]?.slice(0, at.column - 1) ?? '')) return undefined
  let line = at.line - 1
  while (line > 0 && lines[line - 1]?.trim() === '') line -= 1
  const before = /^(?<key>[^#"']*=[ \t]*)(#.*)?\r?$/.exec(lines[line - 1] ?? '')?.groups?.key
  return before === undefined ? undefined : { line, column: before.length + 1 }
}

/** In a file with secrets only the shape of the line is shown: what is printed may be kept by others, like the log of a CI. */
function buildFrame(source: string, at: Position): string {
  const whole = source.split('\n')[at.line - 1]?.replace(/\r$/, '') ?? ''
  const line = /\benv\b/.test(source) ? whole.replace(/[\p{L}\p{N}]/gu, '·') : whole
  const from = Math.max(0, at.column - SHOWN_LINE_LENGTH * 0.75)
  const shown = printable(line.slice(from, from + SHOWN_LINE_LENGTH))
  const indent = [...printable(line.slice(from, at.column - 1))].length
  const number = String(at.line)
  return `  ${number} | ${shown}\n  ${' '.repeat(number.length)} | ${' '.repeat(indent)}^`
}

/** A file must not be able to steer the terminal that its fault is shown on. */
const printable = (text: string): string => text.replaceAll('\t', ' ').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd')
