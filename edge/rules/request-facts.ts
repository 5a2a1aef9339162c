import { findWantedLanguage } from './language.ts'
import { readParameters } from './query-match.ts'
import type { RulePath } from './source.ts'

/** What rules look at of a request. The functions are called only where a rule that else matches depends on them. */
export interface RuleRequest {
  /** Lower case, without port. */
  readonly host: string
  readonly at: RulePath
  /** With its `?`, or empty; what no header may hold is escaped. */
  readonly query: string
  readonly secure: boolean
  /** The site has a file for the path, at this or another spelling of it: only forced rules count. */
  readonly exists: boolean
  /** Accept-Language. */
  readonly languages: () => string | undefined
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: () => string | undefined
}

/** What was looked at to decide; an answer that depends on it must say so. */
export interface RuleDependence {
  readonly language: boolean
  readonly country: boolean
}

/** What rules ask of one request: each read when the first asks, and once, however many ask. */
export class RequestFacts {
  readonly request: RuleRequest
  #parameters: ReadonlyMap<string, string> | undefined
  #language: { readonly wanted: string | undefined } | undefined
  #country: { readonly code: string | undefined } | undefined

  constructor(request: RuleRequest) {
    this.request = request
  }

  /** The query, decoded. */
  get parameters(): ReadonlyMap<string, string> {
    this.#parameters ??= readParameters(this.request.query)
    return this.#parameters
  }

  /** The one that the visitor wants most; undefined where it is none in particular. */
  get language(): string | undefined {
    this.#language ??= { wanted: findWantedLanguage(this.request.languages()) }
    return this.#language.wanted
  }

  get country(): string | undefined {
    this.#country ??= { code: this.request.country() }
    return this.#country.code
  }

  /** What was asked for until now. */
  get dependsOn(): RuleDependence {
    return { language: this.#language !== undefined, country: this.#country !== undefined }
  }
}
