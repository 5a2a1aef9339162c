import type { SiteRequest } from '../../respond/index.ts'
import { numberOfName } from '../fast/index.ts'
import type { FieldList } from './field-list.ts'

/** What a connection says of all its requests. */
export type StreamPeer = Required<Pick<SiteRequest, 'client' | 'covers' | 'isDirect'>>

/** The request of a stream, which notes what is asked of it: see `RecordedRequest`. */
export class RecordedStream implements SiteRequest {
  readonly method: string
  readonly target: string
  readonly host: string | undefined
  readonly secure = true
  readonly covers: SiteRequest['covers']
  readonly isDirect: boolean
  readonly content: SiteRequest['content']
  isSpecial = false
  absent = 0
  readonly values: [field: number, value: string][] = []
  readonly #head: FieldList
  readonly #peer: StreamPeer

  constructor(head: FieldList, peer: StreamPeer, content?: SiteRequest['content']) {
    this.method = head.method ?? ''
    this.target = head.path ?? ''
    this.host = head.host
    this.covers = peer.covers
    this.isDirect = peer.isDirect
    this.content = content
    this.#head = head
    this.#peer = peer
  }

  field(name: string): string | undefined {
    const number = numberOfName(name)
    if (number < 0) {
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
    return this.#peer.client()
  }
}
