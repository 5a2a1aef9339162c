import type { Client, SiteRequest } from '../respond/index.ts'

/** ISO 3166-1 alpha-2, upper case, of an IP address as text; undefined where nothing says. Never throws. */
export type CountryOf = (address: string) => string | undefined

/** A request that also knows in which country its client is. It is only looked up when somebody asks. */
export class LocatedRequest implements SiteRequest {
  readonly method: string
  readonly target: string
  readonly host: string | undefined
  readonly secure: boolean
  readonly covers: SiteRequest['covers']
  readonly content: SiteRequest['content']
  readonly #request: SiteRequest
  readonly #countryOf: CountryOf

  constructor(request: SiteRequest, countryOf: CountryOf) {
    this.method = request.method
    this.target = request.target
    this.host = request.host
    this.secure = request.secure
    this.covers = request.covers
    this.content = request.content
    this.#request = request
    this.#countryOf = countryOf
  }

  field(name: string): string | undefined {
    return this.#request.field(name)
  }

  fields(): ReturnType<SiteRequest['fields']> {
    return this.#request.fields()
  }

  client(): Client {
    const client = this.#request.client()
    return { ...client, country: client.country ?? this.#countryOf(client.address) }
  }
}
