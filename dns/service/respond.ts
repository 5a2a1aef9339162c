import { type AnswerContext, answer } from '../answer/index.ts'
import { cutResponse, finishResponse, type Response, readQuery } from '../message/index.ts'
import { ANY, type Rcode } from '../wire/index.ts'
import type { ZoneTable } from '../zone/index.ts'
import { accountOf } from './account.ts'
import { anonymous, findChaosResponse, type Identity } from './identity.ts'

/** What to do about a message. */
export type Reply =
  | (ReplyBytes & {
      readonly kind: 'send'
      readonly malformed: boolean
      /** Present unless the asker has shown that it receives what is sent to its address: over TCP, or with a cookie. */
      readonly unproven?: Unproven
    })
  | { readonly kind: 'drop'; readonly malformed: boolean }

/** A message to send. */
export interface ReplyBytes {
  readonly bytes: Uint8Array
  readonly rcode: Rcode
}

/** How to limit what is sent to an address that may be forged; worked out when it is read. */
export interface Unproven {
  /** Equal for equal answers. */
  readonly account: string
  /**
   * What tells an honest asker how to get its answer all the same, and is of no use to others: BADCOOKIE with a cookie to
   * who knows cookies (RFC 7873 sections 5.2.3 and 5.2.4), else TC.
   */
  cut(): ReplyBytes
}

/** An answer to ANY that is longer is cut for an asker that is not proven: RFC 8482 would have it of no use for attacks. */
const MAX_ANY_OCTETS = 256

/** From the bytes of a message to those of its answer: what every transport does with what it receives. Pure. */
export function respond(message: Uint8Array, context: AnswerContext, identity: Identity = anonymous): Reply {
  const read = readQuery(message)
  switch (read.kind) {
    case 'drop':
      return read
    case 'fault':
      return send(read.response, context, identity, read.malformed)
    case 'query':
      return send(findChaosResponse(read.query, identity) ?? answer(read.query, context), context, identity, false)
    default:
      return read satisfies never
  }
}

function send(found: Response, { asker, table }: AnswerContext, identity: Identity, malformed: boolean): Reply {
  const { edns } = found
  const cookie = edns?.cookie && identity.cookies?.judge(edns.cookie, asker.address, identity.nowSeconds())
  const nsid = edns?.nsid === true ? identity.nsid : undefined
  const response = cookie === undefined && nsid === undefined ? found : { ...found, cookie: cookie?.option, nsid }
  const { rcode } = response
  const reply = { kind: 'send', bytes: finishResponse(response, asker.transport), rcode, malformed } as const
  if (asker.transport !== 'udp' || cookie?.standing === 'valid') return reply
  const isAny = response.question?.type === ANY
  const bytes = isAny && reply.bytes.length > MAX_ANY_OCTETS ? cutResponse(response) : reply.bytes
  return { kind: 'send', bytes, rcode, malformed, unproven: new UnprovenResponse(response, table) }
}

class UnprovenResponse implements Unproven {
  readonly #response: Response
  readonly #table: ZoneTable

  constructor(response: Response, table: ZoneTable) {
    this.#response = response
    this.#table = table
  }

  get account(): string {
    return accountOf(this.#response, this.#table)
  }

  cut(): ReplyBytes {
    const { rcode, cookie } = this.#response
    if (cookie === undefined || rcode === 'FORMERR' || rcode === 'NOTIMP')
      return { bytes: cutResponse(this.#response), rcode }
    const refused = {
      ...this.#response,
      rcode: 'BADCOOKIE',
      answers: [],
      authorities: [],
      glue: [],
      additionals: [],
    } as const
    return { bytes: finishResponse({ ...refused, authoritative: false, nsid: undefined }, 'udp'), rcode: 'BADCOOKIE' }
  }
}
