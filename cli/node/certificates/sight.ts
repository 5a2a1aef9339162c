import {
  type Log,
  listNodes,
  MakiError,
  type MemberKey,
  type NodeView,
  type Operation,
  type OperationId,
  type Runtime,
} from '../../../core/index.ts'
import type { GossipService, Replica } from '../../../replication/index.ts'
import { isLocalCluster } from '../../health/index.ts'
import { readSaid, readServes } from '../said.ts'
import { askNode } from './ask-node.ts'

export interface SightOptions {
  readonly replica: Replica
  readonly gossip: Pick<GossipService, 'awareness' | 'events'>
  readonly self: MemberKey
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly log: Log
}

/** A node that is up and does not show it for so long is in trouble of its own. */
const PATIENCE_MS = 60_000
const LOOK_MS = 200
/** From the state of a node to its workers, and to an answer that one of them had under way. */
const SETTLE_MS = 1000

/**
 * Resolves when every node that is up has the operation with these challenges, and answers by it as far as it can be asked from here.
 * Authorities ask from many places at once, and resolvers remember for minutes that something is not there: they are told of nothing
 * that some node does not show. Rejects with MAKI_TIMEOUT, which names the nodes, and where the signal ends it.
 */
export async function shownByAll(
  { id, changes }: Pick<Operation, 'id' | 'changes'>,
  options: SightOptions,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, replica, gossip, self, log } = options
  const endMs = runtime.monotonic() + PATIENCE_MS
  const shown = changes.filter((change) => change.kind === 'challenge.set')
  const seen = new Set<MemberKey>([self])
  await pause(SETTLE_MS, runtime, signal)
  for (;;) {
    const nodes = listNodes(replica.state)
    const isLocal = isLocalCluster(nodes)
    const up = new Map(gossip.awareness.entries().flatMap(({ key, up: isUp, data }) => (isUp ? [[key, data]] : [])))
    const waiting = nodes.filter(({ key }) => up.has(key) && !seen.has(key))
    const ask = async (node: NodeView): Promise<void> => {
      const data = up.get(node.key)
      if (!hasHeard(id, data, replica)) return
      if ((await askNode(node, readServes(data), shown, { runtime, signal, isLocal })) !== 'lacks') seen.add(node.key)
    }
    await Promise.all(waiting.map(ask))
    signal.throwIfAborted()
    const lacking = waiting.flatMap(({ key, name }) => (seen.has(key) ? [] : name))
    if (lacking.length === 0) return
    if (runtime.monotonic() >= endMs) {
      log.warn('certificates.not-shown', { operation: id, nodes: lacking })
      const names = lacking.join(', ')
      throw new MakiError('MAKI_TIMEOUT', `${names} did not show what the authority asks for within a minute`, {
        hint: 'Stop a machine that is in trouble: one that is down is not waited for.',
      })
    }
    await pause(LOOK_MS, runtime, signal)
  }
}

/** What a node has is known here too, mostly; one that is ahead of us is asked about again. */
function hasHeard(operation: OperationId, data: unknown, replica: Replica): boolean {
  return readSaid(data).heads.some(
    (head) => head === operation || (replica.has(head) && replica.isAncestor(operation, head)),
  )
}

/** Rejects with the signal's reason when it is stopped. */
export function pause(ms: number, runtime: Pick<Runtime, 'after'>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = runtime.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}
