import { type Credential, parseCredentials } from './credential.ts'
import { checkFieldValue, parseFieldName } from './header-field.ts'
import { MAX_FAULTS, MAX_RULES } from './limits.ts'
import { LooseBudget } from './loose-budget.ts'
import { checkLine, findingOf, readLines } from './parse-lines.ts'
import { RuleFault, type RuleFinding } from './rule-file.ts'
import { parseSource, type Source } from './source.ts'
import { parseTemplate, type Template } from './template.ts'

/** One block of `_headers`. */
export interface HeaderRule {
  /** Where its path stands; from 1. */
  readonly line: number
  readonly text: string
  readonly source: Source
  /** In lower case; in the order of the file. */
  readonly set: readonly { readonly name: string; readonly value: Template }[]
  /** Headers that earlier blocks or the node set, and that are taken away. */
  readonly remove: readonly string[]
  /** Who may see the paths; empty: nobody; null: everybody, whatever other blocks say; undefined: it says nothing. */
  readonly auth: readonly Credential[] | null | undefined
}

export interface ParsedHeaders {
  readonly rules: readonly HeaderRule[]
  readonly faults: readonly RuleFinding[]
  /** Some of what the file says about who may see what could not be understood: nobody may see anything then. */
  readonly isClosed: boolean
}

const AUTH = 'basic-auth'
const PATH = /^(?:\/|https?:|[a-z]+:\/\/)/i
/** One word without a colon: rather a path without its slash than a header. */
const MISTYPED = /^[^\s:!][^\s:]*$/

/**
 * Reads a `_headers` file: a path or an https URL on a line of its own, below it `Name: value`, or `! Name`. Never throws; time is
 * linear in its size. Where a fault leaves open who may see a path, nobody may.
 */
export function parseHeaders(bytes: Uint8Array): ParsedHeaders {
  return new HeaderParser(bytes).parse()
}

interface Block {
  line: number
  text: string
  /** Undefined when it could not be read. */
  source: Source | undefined
  names: ReadonlySet<string>
  set: { name: string; value: Template }[]
  remove: string[]
  auth: Credential[] | null | undefined
}

class HeaderParser {
  readonly #lines: readonly string[]
  readonly #faults: RuleFinding[]
  readonly #rules: HeaderRule[] = []
  #block: Block | undefined
  readonly #loose = new LooseBudget()
  #isClosed = false

  constructor(bytes: Uint8Array) {
    const { lines, faults } = readLines('_headers', bytes)
    this.#lines = lines
    this.#faults = [...faults]
    // What was cut off could have said who may see what.
    this.#isClosed = faults.some(({ message }) => message.startsWith('it has more'))
  }

  parse(): ParsedHeaders {
    for (const [i, text] of this.#lines.entries()) {
      const line = text.trim()
      if (line === '' || line.startsWith('#')) continue
      try {
        checkLine(text)
        if (PATH.test(line)) this.#begin(line, i + 1)
        else this.#readField(line)
      } catch (thrown) {
        this.#faults.push(findingOf(thrown, '_headers', i + 1, line))
        if (/basic-auth/i.test(line)) this.#close()
        // What stands below must not be taken for what is said of the paths above.
        if (PATH.test(line) || (this.#block !== undefined && MISTYPED.test(line))) this.#open(line, i + 1)
      }
      if (!this.#isOver) continue
      this.#isClosed ||= this.#lines.some((later, j) => j > i && /basic-auth/i.test(later))
      break
    }
    this.#end()
    return { rules: this.#rules, faults: this.#faults, isClosed: this.#isClosed }
  }

  /** Nothing more of the file is read. */
  get #isOver(): boolean {
    return this.#faults.length >= MAX_FAULTS || (this.#rules.length >= MAX_RULES && this.#block !== undefined)
  }

  /** Ends the block before; what follows belongs to no path until `#begin` knows which. */
  #open(text: string, line: number): Block {
    this.#end()
    this.#block = { line, text, source: undefined, names: new Set(), set: [], remove: [], auth: undefined }
    return this.#block
  }

  #begin(text: string, line: number): void {
    const block = this.#open(text, line)
    if (this.#rules.length >= MAX_RULES)
      throw new RuleFault(`there are more than ${MAX_RULES} blocks`, 'Let paths with * stand for many.')
    const source = parseSource(text, { splats: true })
    this.#loose.take(source)
    block.source = source
    const names = [...(source.host?.names ?? []), ...source.path.names]
    // Of several stars none is the one that :splat stands for.
    block.names = new Set(names.filter((name, i) => names.indexOf(name) === i && names.lastIndexOf(name) === i))
  }

  #readField(line: string): void {
    const block = this.#block
    if (block === undefined)
      throw new RuleFault('a path has to come before it', 'Write a path on a line above, such as /*')
    const detached = /^!\s+(.*)$/.exec(line)?.[1]
    if (detached !== undefined) {
      if (detached.toLowerCase() === AUTH) block.auth = null
      else block.remove.push(parseFieldName(detached))
      return
    }
    const colon = line.indexOf(':')
    if (colon === -1) throw new RuleFault('it is neither a path nor a header', 'Write Name: value, or ! Name')
    const name = line.slice(0, colon).trim()
    const value = line.slice(colon + 1).trim()
    if (name.toLowerCase() === AUTH) {
      block.auth ??= []
      block.auth.push(...parseCredentials(value))
      return
    }
    const field = parseFieldName(name)
    checkFieldValue(field, value)
    block.set.push({ name: field, value: parseTemplate(value, block.names) })
  }

  /** A line about who may see the block's paths is not understood. */
  #close(): void {
    if (this.#block?.source === undefined) this.#isClosed = true
    else this.#block.auth ??= []
  }

  #end(): void {
    const block = this.#block
    this.#block = undefined
    if (block === undefined) return
    const { source, line, text, set, remove, auth } = block
    if (source === undefined) {
      if (auth !== undefined && auth !== null) this.#isClosed = true
      return
    }
    if (set.length === 0 && remove.length === 0 && auth === undefined) {
      const hint = 'Write Name: value below it.'
      // Its lines may be at fault themselves.
      if (this.#faults.at(-1)?.line !== line && !this.#faults.some((fault) => fault.line > line))
        this.#faults.push({ file: '_headers', line, rule: text, message: 'no header follows', hint })
      return
    }
    this.#rules.push({ line, text, source, set, remove, auth })
  }
}
