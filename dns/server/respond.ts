import { answer } from '../answer/index.ts'
import { finishResponse, type Response, readQuery, type Transport } from '../message/index.ts'
import type { Rcode } from '../wire/index.ts'
import type { ZoneTable } from '../zone/index.ts'

/** What to do about a message. */
export type Reply =
  | { readonly kind: 'send'; readonly bytes: Uint8Array; readonly rcode: Rcode; readonly malformed: boolean }
  | { readonly kind: 'drop'; readonly malformed: boolean }

/** From the bytes of a message to the bytes of its answer: what every transport does with what it receives. Pure. */
export function respond(message: Uint8Array, table: ZoneTable, transport: Transport): Reply {
  const read = readQuery(message)
  switch (read.kind) {
    case 'drop':
      return read
    case 'fault':
      return send(read.response, transport, read.malformed)
    case 'query':
      return send(answer(read.query, table), transport, false)
    default:
      return read satisfies never
  }
}

function send(response: Response, transport: Transport, malformed: boolean): Reply {
  return { kind: 'send', bytes: finishResponse(response, transport), rcode: response.rcode, malformed }
}
