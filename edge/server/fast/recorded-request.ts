import type { SiteRequest } from '../../respond/index.ts'
import { FIELDS } from './head-fields.ts'
import type { RequestHead } from './request-head.ts'

/**
 * A request that notes what is asked of it. It keeps no reference to the reader of heads, which goes on to the next.
 */
export class RecordedRequest implements SiteRequest {
  readonly method: 'GET' | 'HEAD'
  readonly target: string
  readonly host: string
  readonly secure: boolean
  readonly covers?: (host: string) => boolean
  readonly isDirect = true
  readonly content = undefined
  /** What was asked cannot be looked up in a head by number, or is no property of the request alone. */
  isSpecial = false
  absent = 0
  readonly values: [field: number, value: string][] = []
  readonly #head: RequestHead
  readonly #client: SiteRequest['client']

  /** `head` is one of its own. */
  constructor(head: RequestHead, from: Pick<SiteRequest, 'secure' | 'client' | 'covers'>) {
    this.method = head.method
    this.target = head.target
    this.host = head.host
    this.secure = from.secure
    if (from.covers !== undefined) this.covers = from.covers
    this.#head = head
    this.#client = from.client
  }

  field(name: string): string | undefined {
    const number = (FIELDS as readonly string[]).indexOf(name)
    if (number === -1) {
      this.isSpecial = true
      return this.#head.find(name)
    }
    const value = this.#head.value(number)
    if (value === undefined) this.absent |= 1 << number
    else if (!this.values.some(([known]) => known === number)) this.values.push([number, value])
    return value
  }

  fields(): ReturnType<SiteRequest['fields']> {
    this.isSpecial = true
    return this.#head.all()
  }

  client(): ReturnType<SiteRequest['client']> {
    this.isSpecial = true
    return this.#client()
  }
}
