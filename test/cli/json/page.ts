import { formatShape, listNamed } from './kit.ts'
import { SHAPES } from './shapes.ts'

/** docs/json.md: what every command prints with `--json`, from the shapes that its output is held to. */
export function writePage(): string {
  const commands = Object.entries(SHAPES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, shape]) => `## maki ${id.replaceAll(':', ' ')}\n\n${fenced(formatShape(shape))}`)
  const named = listNamed()
    .filter(([, name]) => !(name in WORDS))
    .map(([shape, name]) => `${name} = ${formatShape(shape, { own: true })}`)
  const words = Object.entries(WORDS).map(([name, what]) => `| \`${name}\` | ${what} |`)
  return `${[HEAD, ['| name | is |', '|---|---|', ...words].join('\n'), fenced(named.join('\n\n')), ...commands].join('\n\n')}\n`
}

const fenced = (text: string): string => `\`\`\`text\n${text}\n\`\`\``

const WORDS: Readonly<Record<string, string>> = {
  Time: 'text: ISO 8601 in UTC, `2026-11-22T10:00:00.000Z`',
  OperationId: 'text: 52 characters of base32; people type the beginning of it',
  PublicKey: 'text: 52 characters of base32',
  Hash: 'text: SHA-256 in hexadecimal',
}

const HEAD = `# JSON

With \`--json\` a command prints one JSON value on standard output, and nothing else there. \`maki dev\` and \`maki logs --follow\`, which
go on until they are ended, print one a line.

Standard error then has one JSON object a line: a \`Warning\` for each thing that should be looked at, and at the end, where the
command failed, an \`Error\`. There is a value or an \`Error\`, never both; what could be found out is a value also where the
[exit code](commands.md) is not 0: \`maki status\` when no node answers, \`maki health\` when one is down, an upgrade that stopped.

\`\`\`text
$ maki record set example.com www A 192.0.2.256 --json
{"code":"MAKI_INVALID","message":"…","hint":"…"}
\`\`\`

Shapes are written as in TypeScript: \`name?\` may be absent, \`X[]\` is an array, \`{ [name]: X }\` an object with any names, \`…\`
means that there are more members. No member goes away or changes its meaning within a major version, and none is there that this
page does not have; new ones may come. Nobody is asked anything: what wants an answer is refused without \`--yes\`. Characters that a
terminal would act on are escaped (\`\\u009b\`).`
