import { MAX_FAULTS, MAX_RULES } from './limits.ts'
import { LooseBudget } from './loose-budget.ts'
import { checkLine, findingOf, readLines } from './parse-lines.ts'
import { parseRedirectLine, type RedirectRule } from './redirect-rule.ts'
import { RuleFault, type RuleFinding } from './rule-file.ts'

export interface ParsedRedirects {
  readonly rules: readonly RedirectRule[]
  /** Lines that are no rules; the others count all the same. */
  readonly faults: readonly RuleFinding[]
}

/** Reads a `_redirects` file. Never throws; time is linear in its size. */
export function parseRedirects(bytes: Uint8Array): ParsedRedirects {
  const { lines, faults: atLarge } = readLines('_redirects', bytes)
  const faults = [...atLarge]
  const rules: RedirectRule[] = []
  const loose = new LooseBudget()
  for (const [i, text] of lines.entries()) {
    if (/^\s*(?:#|$)/.test(text)) continue
    try {
      if (rules.length >= MAX_RULES)
        throw new RuleFault(`there are more than ${MAX_RULES} rules`, 'Let rules with * stand for many.')
      checkLine(text)
      const rule = parseRedirectLine(text, i + 1)
      if (rule === undefined) continue
      loose.take(rule.source)
      rules.push(rule)
    } catch (thrown) {
      faults.push(findingOf(thrown, '_redirects', i + 1, text))
      if (rules.length >= MAX_RULES || faults.length >= MAX_FAULTS) break
    }
  }
  return { rules, faults }
}
