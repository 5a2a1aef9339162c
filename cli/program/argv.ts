/** A command line, taken apart. */
export interface ParsedArgv {
  /** The command's id (`record:set`); undefined where no command is named. */
  readonly id: string | undefined
  /** The words before the first flag: the command and its first arguments. */
  readonly words: readonly string[]
  /** What the command gets. */
  readonly rest: readonly string[]
}

/** Finds the command: the longest run of leading words that is one. Flags in `valued` before it take the next word as their value. */
export function parseArgv(argv: readonly string[], ids: ReadonlySet<string>, valued: readonly string[]): ParsedArgv {
  let at = 0
  while (at < argv.length && isFlag(argv[at] as string)) at += valued.includes((argv[at] as string).slice(2)) ? 2 : 1
  const before = argv.slice(0, at)
  const words: string[] = []
  for (const word of argv.slice(at)) {
    if (isFlag(word)) break
    words.push(word)
  }
  for (let length = Math.min(words.length, MAX_WORDS); length > 0; length--) {
    const id = words.slice(0, length).join(':')
    if (ids.has(id)) return { id, words, rest: [...before, ...argv.slice(at + length)] }
  }
  return { id: undefined, words, rest: [...before, ...argv.slice(at)] }
}

/** No command has more words than this. */
const MAX_WORDS = 3

const isFlag = (word: string): boolean => word.startsWith('-') && word !== '-'
