import { findWantedLanguage } from './language.ts'
import { readParameters } from './query-match.ts'
import type { RuleDependence, RuleRequest } from './redirect-table.ts'

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
