import { listNodes } from '../../core/index.ts'
import {
  type AnswerContext,
  nowhere,
  type Reply,
  respond,
  Steering,
  type Transport,
  ZoneTable,
} from '../../dns/index.ts'
import type { Identity } from '../../dns/service/index.ts'
import { ClusterState, nodeJoin } from './cluster-state.ts'

const cluster = new ClusterState()
cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'))

/** The nodes 1 and 2 of `nodeJoin`, both in every answer. */
export const twoNodes = new Steering(listNodes(cluster.state), new Map(), 2)

/** A context in which every asker stands nowhere and is told of two nodes, unless the test says so. */
export function contextOf(parts: Partial<AnswerContext> & { transport?: Transport } = {}): AnswerContext {
  const { transport = 'udp', ...rest } = parts
  return {
    table: ZoneTable.empty,
    steering: twoNodes,
    aliases: new Map(),
    locator: nowhere,
    asker: { address: '127.0.0.1', transport },
    ...rest,
  }
}

/** A service that answers from one table, or the table of the moment. */
export const serviceOf = (table: () => ZoneTable, parts: Partial<AnswerContext> = {}, identity?: Identity) => ({
  reply: (message: Uint8Array, asker: AnswerContext['asker']): Reply =>
    respond(message, { ...contextOf(parts), table: table(), asker }, identity),
})
