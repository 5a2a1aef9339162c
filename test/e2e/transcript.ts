import { DocumentedIds } from './documented-ids.ts'

/**
 * Documents whose commands are true: what stands in a `console` block of a Markdown file is replayed and compared.
 *
 * - ` ```console ` is a terminal where commands are typed. `$ ` begins a command, `> ` continues it; the lines below are
 *   what it must print, all of it and nothing else, with exit code 0.
 * - ` ```console of ann ` is such a terminal on another computer, called ann.
 * - ` ```console first-terminal ` is the terminal in which one command runs all the time. Lines below the command, and
 *   blocks without one, are what it says next; `^C` interrupts it.
 * - `…` stands for any text within a line; alone on a line, for any number of lines.
 * - Ids stand for other ids, each always for the same: see `DocumentedIds`.
 */

/** A thing that a reader does or sees. */
export type Step =
  | {
      readonly kind: 'run'
      readonly line: number
      /** The other computer on which it is typed. */
      readonly computer?: string
      readonly command: string
      readonly expected: readonly string[]
    }
  | { readonly kind: 'start'; readonly line: number; readonly command: string; readonly expected: readonly string[] }
  | { readonly kind: 'interrupt'; readonly line: number; readonly expected: readonly string[] }
  | { readonly kind: 'says'; readonly line: number; readonly expected: readonly string[] }

const FENCE = /^```(.*)$/
const COMPUTER = /^console of ([a-z]+)$/
const ANYTHING = '…'

/** The steps of a document in its order. Throws for a block that cannot be replayed, with its line. */
export function parseTranscript(markdown: string): readonly Step[] {
  const steps: Step[] = []
  let block: { readonly info: string; readonly line: number; readonly lines: string[] } | undefined
  for (const [i, text] of markdown.split('\n').entries()) {
    const info = FENCE.exec(text)?.[1]
    if (info === undefined) block?.lines.push(text)
    else if (block === undefined) block = { info, line: i + 2, lines: [] }
    else {
      if (block.info === 'console') steps.push(...parseBlock(block.lines, block.line, 'run'))
      else if (block.info === 'console first-terminal') steps.push(...parseBlock(block.lines, block.line, 'start'))
      else if (COMPUTER.test(block.info)) {
        const computer = COMPUTER.exec(block.info)?.[1] ?? ''
        for (const step of parseBlock(block.lines, block.line, 'run'))
          if (step.kind === 'run') steps.push({ ...step, computer })
      } else if (block.info.startsWith('console'))
        throw new Error(`line ${block.line - 1}: a block called ${block.info}`)
      block = undefined
    }
  }
  if (block !== undefined) throw new Error(`line ${block.line - 1}: a block that does not end`)
  return steps
}

function* parseBlock(lines: readonly string[], first: number, kind: 'run' | 'start'): Generator<Step> {
  let step: { kind: Step['kind']; line: number; command: string; expected: string[] } | undefined
  const finish = (): Step[] => (step === undefined ? [] : [step as Step])
  for (const [i, text] of lines.entries()) {
    const line = first + i
    if (text.startsWith('$ ')) {
      yield* finish()
      step = { kind, line, command: text.slice(2), expected: [] }
    } else if (text.startsWith('> ') && step !== undefined && step.expected.length === 0 && step.command !== '') {
      step.command += `\n${text.slice(2)}`
    } else if (text === '^C' && kind === 'start') {
      yield* finish()
      step = { kind: 'interrupt', line, command: '', expected: [] }
    } else {
      if (step === undefined && kind === 'run') throw new Error(`line ${line}: what is printed stands before a command`)
      step ??= { kind: 'says', line, command: '', expected: [] }
      step.expected.push(text)
    }
  }
  yield* finish()
}

/**
 * True when the output is what is expected, from its first line to its last. Spaces at the ends of lines do not count. What
 * its ids stand for is learned from an output that fits.
 */
export function isAsExpected(expected: readonly string[], output: string, ids = new DocumentedIds()): boolean {
  const lines = normalize(output).map((line) => `${line}\n`)
  const found = new RegExp(`^${buildPattern(expected, ids)}$`).exec(lines.join(''))
  return found !== null && ids.learn(found.groups)
}

/** Where the output that is expected ends, when it stands somewhere in the text, beginning with a line; else undefined. */
export function findExpected(expected: readonly string[], text: string): number | undefined {
  const found = new RegExp(`(?:^|\\n)${buildPattern(expected, new DocumentedIds())}`).exec(text)
  return found === null ? undefined : found.index + found[0].length
}

/**
 * Expected and actual output side by side as a person reads a diff: ` ` for lines that fit, `-` for those that are missing,
 * `+` for those that nobody expected.
 */
export function formatDifference(expected: readonly string[], output: string, ids = new DocumentedIds()): string {
  const actual = normalize(output)
  const wanted = trimEnd(expected)
  // How many lines fit at best from each pair of places on: the longest common subsequence, with patterns for lines.
  const best = Array.from({ length: wanted.length + 1 }, () => new Array<number>(actual.length + 1).fill(0))
  const fits = wanted.map((line) => actual.map((text) => line !== ANYTHING && linePattern(line, ids).test(text)))
  const at = (i: number, j: number): number => best[i]?.[j] ?? 0
  for (let i = wanted.length - 1; i >= 0; i--) {
    for (let j = actual.length - 1; j >= 0; j--) {
      const score = fits[i]?.[j] === true ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
      best[i]?.splice(j, 1, score)
    }
  }
  const lines: string[] = []
  for (let i = 0, j = 0; i < wanted.length || j < actual.length; ) {
    if (fits[i]?.[j] === true) {
      lines.push(`  ${actual[j]}`)
      i++
      j++
    } else if (wanted[i] === ANYTHING) lines.push(`  ${wanted[i++]}`)
    else if (j < actual.length && (i === wanted.length || at(i, j + 1) >= at(i + 1, j))) lines.push(`+ ${actual[j++]}`)
    else lines.push(`- ${wanted[i++]}`)
  }
  return lines.join('\n')
}

function buildPattern(expected: readonly string[], ids: DocumentedIds): string {
  const captured = new Set<string>()
  return trimEnd(expected)
    .map((line) => (line.trim() === ANYTHING ? '(?:[^\\n]*\\n)*?' : `${escapeLine(line, ids, captured)}[ \\t]*\\n`))
    .join('')
}

const escapeLine = (line: string, ids: DocumentedIds, captured: Set<string>): string =>
  line
    .trimEnd()
    .split(ANYTHING)
    .map((part) => ids.escape(part, captured))
    .join('[^\\n]*')

const linePattern = (line: string, ids: DocumentedIds): RegExp => new RegExp(`^${escapeLine(line, ids, new Set())}$`)

/** Lines without spaces at their ends, and without empty lines at the end. */
const normalize = (output: string): string[] => trimEnd(output.split('\n').map((line) => line.trimEnd()))

function trimEnd(lines: readonly string[]): string[] {
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== '') + 1)
}
