import type { RuleFileName } from '../../core/index.ts'
import type { Credential } from './credential.ts'
import { type ParsedHeaders, parseHeaders } from './header-rule.ts'
import { type HeaderEdits, HeaderTable } from './header-table.ts'
import { parseRedirects } from './parse-redirects.ts'
import type { RedirectRule } from './redirect-rule.ts'
import { RedirectTable, type RuleDecision } from './redirect-table.ts'
import type { RuleRequest } from './request-facts.ts'
import type { RuleFinding } from './rule-file.ts'
import type { RulePath } from './source.ts'

const NOTHING = new Uint8Array()

/** The rules of one release; immutable. What of its files was not understood counts as if it were not there. */
export class SiteRules {
  readonly #redirects: RedirectTable
  readonly #headers: HeaderTable

  private constructor(redirects: readonly RedirectRule[], headers: ParsedHeaders) {
    this.#redirects = new RedirectTable(redirects)
    this.#headers = new HeaderTable(headers)
  }

  /**
   * Reads the files of a release. Never throws, whatever they hold; takes time in proportion to their size. Faults in the order of
   * the files, `_redirects` first.
   */
  static parse(files: Readonly<Partial<Record<RuleFileName, Uint8Array>>>): {
    readonly rules: SiteRules
    readonly faults: readonly RuleFinding[]
  } {
    const redirects = parseRedirects(files._redirects ?? NOTHING)
    const headers = parseHeaders(files._headers ?? NOTHING)
    return { rules: new SiteRules(redirects.rules, headers), faults: [...redirects.faults, ...headers.faults] }
  }

  get redirects(): readonly RedirectRule[] {
    return this.#redirects.rules
  }

  get headers(): HeaderTable['rules'] {
    return this.#headers.rules
  }

  /** The first rule of `_redirects` that matches, and what the decision depends on. */
  redirectFor(request: RuleRequest): RuleDecision {
    return this.#redirects.find(request)
  }

  /** What `_headers` makes of the headers of a path. */
  headersFor(host: string, at: RulePath): HeaderEdits {
    return this.#headers.headersFor(host, at)
  }

  /** Who may see a path: undefined for everybody, empty for nobody at all. */
  authFor(host: string, at: RulePath): readonly Credential[] | undefined {
    return this.#headers.authFor(host, at)
  }
}
