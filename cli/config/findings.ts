import { MakiError } from '../../core/index.ts'
import type { Position } from './position.ts'
import type { ConfigPath, TomlDocument } from './toml.ts'

/** Something that a reader of the file should know, with its place. */
export interface Finding extends Position {
  readonly file: string
  /** The key's path, like `domain[0].records[2].value`; empty for the file as a whole. */
  readonly key: string
  readonly message: string
}

export const formatFinding = (finding: Finding): string =>
  `${finding.file}:${finding.line}:${finding.column}: ${finding.key === '' ? '' : `${finding.key}: `}${finding.message}`

/** `['domain', 0, 'name']` as `domain[0].name`; keys that are no bare TOML keys stand in quotes. */
export function formatPath(path: ConfigPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += `${text === '' ? '' : '.'}${/^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step)}`
  }
  return text
}

/** Collects everything that is wrong with one file, so that it is told at once. */
export class Findings {
  readonly #document: TomlDocument
  readonly #faults: Fault[] = []
  readonly #warnings: Finding[] = []
  readonly #faulty: ConfigPath[] = []

  constructor(document: TomlDocument) {
    this.#document = document
  }

  get warnings(): readonly Finding[] {
    return this.#warnings
  }

  fault(path: ConfigPath, message: string, options: { part?: 'key' | 'value'; hint?: string | undefined } = {}): void {
    this.#faults.push({ ...this.#find(path, message, options.part ?? 'value'), hint: options.hint })
    this.#faulty.push(path)
  }

  warn(path: ConfigPath, message: string, part: 'key' | 'value' = 'value'): void {
    this.#warnings.push(this.#find(path, message, part))
  }

  /** True when no fault was found at the path, above it or below it: what stands there may be trusted. */
  isSound(path: ConfigPath): boolean {
    return !this.#faulty.some((faulty) => {
      const common = Math.min(faulty.length, path.length)
      return path.slice(0, common).every((step, i) => faulty[i] === step)
    })
  }

  /** Where a value stands, for messages: `makiatto.toml:12:8: domain[0].functions[0].path`. */
  place(path: ConfigPath): string {
    const { file, line, column, key } = this.#find(path, '', 'value')
    return `${file}:${line}:${column}: ${key}`
  }

  line(path: ConfigPath, part: 'key' | 'value' = 'value'): number {
    return this.#document.locate(path, part).line
  }

  /**
   * Throws MAKI_CONFIG that lists all faults in the order of the file, each with what would mend it, and the warnings,
   * which may explain them; returns when there is no fault.
   */
  throwFaults(): void {
    const faults = [...this.#faults].sort(inOrder)
    const [first] = faults
    if (first === undefined) return
    const warnings = [...this.#warnings].sort(inOrder).map((warning) => `\n  warning: ${formatFinding(warning)}`)
    const message =
      faults.length === 1
        ? formatFinding(first)
        : `${this.#document.file} has ${faults.length} faults:${listFaults(faults).join('')}`
    throw new MakiError('MAKI_CONFIG', message + warnings.join(''), {
      hint: faults.length === 1 ? (first.hint ?? CORRECT_IT) : CORRECT_THEM,
    })
  }

  #find(path: ConfigPath, message: string, part: 'key' | 'value'): Finding {
    return { file: this.#document.file, key: formatPath(path), message, ...this.#document.locate(path, part) }
  }
}

interface Fault extends Finding {
  readonly hint: string | undefined
}

const inOrder = (a: Finding, b: Finding): number => a.line - b.line || a.column - b.column

/** Lines, with hints below what they are for; the same hint stands once. */
function listFaults(faults: readonly Fault[]): string[] {
  const told = new Set<string>()
  return faults.map((fault) => {
    const { hint } = fault
    const line = `\n  ${formatFinding(fault)}`
    if (hint === undefined || told.has(hint)) return line
    told.add(hint)
    return `${line}\n    Try: ${hint.replace(/\n(?!\n|$)/g, '\n    ')}`
  })
}

const CORRECT_IT = 'Correct the line, then run the command again.'
const CORRECT_THEM = 'Correct these lines, then run the command again.'
