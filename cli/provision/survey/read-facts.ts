import { MakiError } from '../../../core/index.ts'

/** What the script printed: lines by the name of their fact. */
export type Facts = ReadonlyMap<string, readonly string[]>

const MAX_LINE = 4096

/**
 * Takes apart what `SURVEY_SCRIPT` printed. Whatever stands before the first fact (greetings of a shell) is passed over.
 * Throws MAKI_PROTOCOL where it did not come to its end.
 */
export function readFacts(output: string): Facts {
  const facts = new Map<string, string[]>()
  let lines: string[] | undefined
  for (const line of output.split('\n')) {
    const name = /^@@ ([a-z0-9]{1,20})$/.exec(line)?.[1]
    if (name === 'end') return facts
    if (name !== undefined) {
      lines = []
      // The first counts: what comes twice was not printed by the script.
      if (!facts.has(name)) facts.set(name, lines)
    } else if (line.startsWith(' ')) lines?.push(line.slice(1, MAX_LINE))
  }
  throw new MakiError('MAKI_PROTOCOL', 'the server did not tell about itself to the end', {
    hint: 'It needs a POSIX shell, and grep, sed, head and ls: try with ssh what they do there.',
  })
}
