import { MakiError } from '../../core/index.ts'

const LINE = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' }

/**
 * Reads an env file: `KEY=VALUE` lines, `export` before them, comments with `#`; a value in single quotes is taken as it is, one in
 * double quotes has \n, \r, \t, \" and \\; any other ends at its last character before ` #`. No variables are put in. The last of
 * several lines for one key counts. Throws MAKI_CONFIG with the line, and never quotes a value.
 */
export function parseDotenv(text: string, shownAs: string): Readonly<Record<string, string>> {
  const values = new Map<string, string>()
  for (const [i, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const match = LINE.exec(line)
    const value = match === null ? undefined : readValue(match[2] as string)
    if (match === null || value === undefined) {
      throw new MakiError('MAKI_CONFIG', `${shownAs}:${i + 1}: this line is no KEY=VALUE`, {
        hint: 'A value with spaces, quotes or # stands in quotes, on one line; a comment begins with #.',
      })
    }
    values.set(match[1] as string, value)
  }
  return Object.fromEntries(values)
}

function readValue(text: string): string | undefined {
  const quote = text[0]
  if (quote === "'") return /^'([^']*)'\s*(?:#.*)?$/.exec(text)?.[1]
  if (quote === '"') {
    const inner = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text)?.[1]
    return inner?.replace(/\\(.)/g, (whole, character: string) => ESCAPES[character] ?? whole)
  }
  return text.replace(/\s+#.*$/, '').trimEnd()
}
