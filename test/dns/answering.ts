import {
  type AnswerContext,
  nowhere,
  type Reply,
  respond,
  Steering,
  type Transport,
  ZoneTable,
} from '../../dns/index.ts'

/** A context in which every asker stands nowhere and nothing was chosen, unless the test says so. */
export function contextOf(parts: Partial<AnswerContext> & { transport?: Transport } = {}): AnswerContext {
  const { transport = 'udp', ...rest } = parts
  return {
    table: ZoneTable.empty,
    steering: Steering.empty,
    aliases: new Map(),
    locator: nowhere,
    asker: { address: '127.0.0.1', transport },
    ...rest,
  }
}

/** A service that answers from one table, or the table of the moment. */
export const serviceOf = (table: () => ZoneTable, parts: Partial<AnswerContext> = {}) => ({
  reply: (message: Uint8Array, asker: AnswerContext['asker']): Reply =>
    respond(message, { ...contextOf(parts), table: table(), asker }),
})
