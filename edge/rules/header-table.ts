import type { Credential } from './credential.ts'
import type { HeaderRule, ParsedHeaders } from './header-rule.ts'
import { MAX_ADDED_CHARS } from './limits.ts'
import { RuleIndex } from './rule-index.ts'
import { matchSource, type RulePath } from './source.ts'
import { encodeSegments, renderTemplate } from './template.ts'

/** What rules make of the headers of an answer. */
export interface HeaderEdits {
  /** Lower case -> value; several lines for `set-cookie` only. Each takes the place of what the node would say. */
  readonly set: ReadonlyMap<string, string | readonly string[]>
  /** What the node would say, and shall not; lower case. */
  readonly remove: ReadonlySet<string>
}

const NO_EDITS: HeaderEdits = { set: new Map(), remove: new Set() }
const COOKIE = 'set-cookie'

/** The blocks of a `_headers` file, ready to be asked. */
export class HeaderTable {
  readonly rules: readonly HeaderRule[]
  readonly #index: RuleIndex
  readonly #isClosed: boolean
  /** Blocks that say who may see what, and where to find them. */
  readonly #guards: readonly HeaderRule[]
  readonly #guardIndex: RuleIndex
  readonly #hasAuth: boolean

  constructor({ rules, isClosed }: Pick<ParsedHeaders, 'rules' | 'isClosed'>) {
    this.rules = rules
    this.#index = new RuleIndex(rules.map(({ source }) => source.path))
    this.#isClosed = isClosed
    this.#guards = rules.filter(({ auth }) => auth !== undefined)
    this.#guardIndex = new RuleIndex(this.#guards.map(({ source }) => source.path))
    this.#hasAuth = this.#guards.some(({ auth }) => auth !== null)
  }

  /**
   * All blocks that match, in the order of the file: equal names are joined by `, `, cookies stay lines of their own, `! Name` takes
   * away what stands so far. Whether a request is secure plays no part, as with Cloudflare.
   */
  headersFor(host: string, at: RulePath): HeaderEdits {
    let set: Map<string, string | string[]> | undefined
    let remove: Set<string> | undefined
    let added = 0
    for (const i of this.#index.candidates(at.path)) {
      const rule = this.rules[i] as HeaderRule
      const captures = matchSource(rule.source, host, at)
      if (captures === undefined) continue
      set ??= new Map()
      remove ??= new Set()
      for (const name of rule.remove) {
        set.delete(name)
        remove.add(name)
      }
      for (const { name, value } of rule.set) {
        const text = renderTemplate(value, captures, encodeSegments)
        added += name.length + text.length
        if (added > MAX_ADDED_CHARS) break
        combine(set, name, text)
      }
    }
    return set === undefined || remove === undefined ? NO_EDITS : { set, remove }
  }

  /**
   * Who may see a path: undefined for everybody, empty for nobody. Of blocks that say so the one with the longest path before
   * its first wildcard decides, several that are equally long together. A page is the same at each spelling of its path.
   */
  authFor(host: string, at: RulePath): readonly Credential[] | undefined {
    if (this.#isClosed) return []
    if (!this.#hasAuth) return undefined
    let longest = -1
    let deciding = new Set<HeaderRule>()
    for (const path of spellings(at.path))
      for (const i of this.#guardIndex.candidates(path)) {
        const rule = this.#guards[i] as HeaderRule
        const length = specificity(rule)
        if (length < longest || deciding.has(rule)) continue
        if (matchSource(rule.source, host, { path, slash: false }) === undefined) continue
        if (length > longest) deciding = new Set()
        deciding.add(rule)
        longest = length
      }
    return unite(deciding)
  }
}

function combine(set: Map<string, string | string[]>, name: string, text: string): void {
  const present = set.get(name)
  if (name === COOKIE) set.set(name, [...(Array.isArray(present) ? present : []), text])
  else set.set(name, present === undefined ? text : `${present as string}, ${text}`)
}

const specificity = ({ source: { path } }: HeaderRule): number =>
  path.kind === 'exact' ? path.path.length + 1 : path.prefix.length

/** Protected by one of several that are equally long is protected. */
function unite(rules: Iterable<HeaderRule>): readonly Credential[] | undefined {
  const protecting = [...rules].flatMap(({ auth }) => (auth === undefined || auth === null ? [] : [auth]))
  return protecting.length === 0 ? undefined : protecting.flat()
}

/** `/p`, `/p.html` and `/p/index.html` may be one page. */
function spellings(path: string): readonly string[] {
  const bare = path.replace(/(?:^|\/)index(?:\.html)?$/, '').replace(/\.html$/, '')
  const index = bare === '' ? 'index' : `${bare}/index`
  return [...new Set([path, bare, `${bare}.html`, index, `${index}.html`])]
}
