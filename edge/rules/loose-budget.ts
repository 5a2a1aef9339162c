import { MAX_LOOSE_PARTS, MAX_LOOSE_RULES } from './limits.ts'
import { RuleFault } from './rule-file.ts'
import type { Source } from './source.ts'

/** What the sources of one file that have to be tried one by one may cost each request together. */
export class LooseBudget {
  #rules = 0
  #parts = 0

  /** Throws RuleFault for a source that is one too many. */
  take({ path, host }: Source): void {
    const parts = (path.kind === 'loose' ? path.parts.length : 0) + (host?.parts?.length ?? 0)
    if (parts === 0) return
    if (this.#rules >= MAX_LOOSE_RULES)
      throw new RuleFault(
        `more than ${MAX_LOOSE_RULES} rules have a wildcard inside of a segment or of a host, or a * before their end`,
        'Let wildcards be whole segments, and * the last.',
      )
    if (this.#parts + parts > MAX_LOOSE_PARTS)
      throw new RuleFault(
        `rules with a wildcard inside of a segment or of a host, or a * before their end, have more than ${MAX_LOOSE_PARTS} parts together`,
        'Let wildcards be whole segments, and * the last; or write fewer of them in a rule.',
      )
    this.#rules++
    this.#parts += parts
  }
}
