import { type Log, listNodes, type MemberKey, type OperationId, type Runtime } from '../../../core/index.ts'
import type { GossipService, Replica } from '../../../replication/index.ts'
import { readSaid } from '../said.ts'

export interface SightOptions {
  readonly replica: Replica
  readonly gossip: Pick<GossipService, 'awareness' | 'events'>
  readonly self: MemberKey
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
}

/** A node that is up and has not heard for so long is in trouble of its own; the authority will see by whom it is answered. */
const PATIENCE_MS = 60_000
const LOOK_MS = 200
/** From the state of a node to its workers, and to an answer that one of them had under way. */
const SETTLE_MS = 1000

/**
 * Resolves when every node that is up has the operation, and has had the time to answer by it. Authorities ask from many places at once, and
 * resolvers remember for minutes that something is not there: they are told of nothing that some node does not show.
 */
export async function heardByAll(operation: OperationId, options: SightOptions, signal: AbortSignal): Promise<void> {
  const { runtime, log } = options
  const endMs = runtime.monotonic() + PATIENCE_MS
  for (;;) {
    const waiting = listWaiting(operation, options)
    if (waiting.length === 0) break
    if (runtime.monotonic() >= endMs) {
      log.warn('certificates.not-heard', { operation, nodes: waiting })
      break
    }
    await pause(LOOK_MS, runtime, signal)
  }
  await pause(SETTLE_MS, runtime, signal)
}

/** Names of nodes that are up and do not say that they have it. */
function listWaiting(operation: OperationId, { replica, gossip, self }: SightOptions): readonly string[] {
  const up = new Map(gossip.awareness.entries().flatMap(({ key, up: isUp, data }) => (isUp ? [[key, data]] : [])))
  return listNodes(replica.state).flatMap(({ key, name }) => {
    const data = up.get(key)
    if (key === self || data === undefined) return []
    const { heads } = readSaid(data)
    return heads.some((head) => head === operation || isBefore(replica, operation, head)) ? [] : name
  })
}

/** What it has is known here too, mostly; one that is ahead of us is asked about again. */
function isBefore(replica: Replica, operation: OperationId, head: OperationId): boolean {
  return replica.has(head) && replica.isAncestor(operation, head)
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
