import { type AnswerContext, answer } from '../answer/index.ts'
import { finishResponse, type Response, readQuery } from '../message/index.ts'
import type { Rcode } from '../wire/index.ts'

/** What to do about a message. */
export type Reply =
  | { readonly kind: 'send'; readonly bytes: Uint8Array; readonly rcode: Rcode; readonly malformed: boolean }
  | { readonly kind: 'drop'; readonly malformed: boolean }

/** From the bytes of a message to those of its answer: what every transport does with what it receives. Pure. */
export function respond(message: Uint8Array, context: AnswerContext): Reply {
  const read = readQuery(message)
  switch (read.kind) {
    case 'drop':
      return read
    case 'fault':
      return send(read.response, context, read.malformed)
    case 'query':
      return send(answer(read.query, context), context, false)
    default:
      return read satisfies never
  }
}

function send(response: Response, { asker }: AnswerContext, malformed: boolean): Reply {
  return { kind: 'send', bytes: finishResponse(response, asker.transport), rcode: response.rcode, malformed }
}
