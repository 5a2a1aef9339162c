import { type Change, listNodes, MakiError, type NodeView, type OperationId } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { StepList } from '../provision/index.ts'
import { formatRest } from './format-wait.ts'
import { findDrainRest } from './visitor-ttl.ts'
import { waitSpan, waitUntil } from './wait-span.ts'

/** How long the other nodes may take to hear of an operation before that is said. */
const HEARD_MS = 20_000
const LOOK_MS = 500

/** What drains a node, or ends that; undefined where it is so already. Pure. */
export function planDrain({ key, drained }: NodeView, wanted: boolean): Change | undefined {
  return drained === wanted ? undefined : { kind: 'node.update', key, set: { drained: wanted } }
}

/** Throws MAKI_CONFLICT where visitors would have no other node to go to. Pure. */
export function checkLastServing(node: NodeView, nodes: readonly NodeView[]): void {
  if (node.drained || nodes.some(({ key, drained }) => key !== node.key && !drained)) return
  throw new MakiError('MAKI_CONFLICT', `${node.name} is the only node that visitors are sent to`, {
    hint: 'Where none is left all are answered with, so nobody would be kept away. With --force it is written all the same.',
  })
}

/**
 * Waits until the nodes that are up agree, so that each answers by what was written. Resolves with the names of those that do
 * not; empty where no node can be asked.
 */
export async function waitHeard(client: ClusterClient, operation: OperationId): Promise<readonly string[]> {
  const reached = await client.reach()
  if (reached === undefined) return []
  const { runtime, signal } = client
  let late: readonly string[] = []
  await waitUntil(HEARD_MS, { runtime, signal, everyMs: LOOK_MS }, async () => {
    const { nodes, self } = await reached.control.status({ signal })
    const own = nodes.find(({ key }) => key === self)
    late = nodes.flatMap(({ up, name, digest, heads }) =>
      up && digest !== own?.digest && !heads.includes(operation) ? [name] : [],
    )
    return late.length === 0 ? true : undefined
  })
  return late
}

/**
 * Waits until no resolver remembers an answer that sends visitors to a drained node, as a step that tells how long it still
 * takes. Resolves with how long it took, milliseconds; rejects where it is interrupted, and the node stays drained. Other
 * commands can be typed meanwhile.
 */
export async function waitForVisitors(client: ClusterClient, steps: StepList, node: NodeView): Promise<number> {
  const { runtime, signal } = client
  const restMs = findDrainRest(client.state, node.key, runtime.now())
  await steps.run(`Wait until no answer names ${node.name}`, async (step) => {
    if (restMs === 0) return step.same('all that resolvers may remember is gone')
    const onRest = (leftMs: number): void => step.progress(`${formatRest(leftMs)} left`)
    await client.lend(() => waitSpan(restMs, { runtime, signal, onRest }))
    step.say(`${formatRest(restMs)}, the longest that resolvers remember an address`)
  })
  return restMs
}

/** The node as the state has it now. Throws MAKI_CONFLICT where somebody removed it meanwhile. */
export function currentNode(client: ClusterClient, { key, name }: NodeView): NodeView {
  const node = listNodes(client.state).find((each) => each.key === key)
  if (node !== undefined) return node
  throw new MakiError('MAKI_CONFLICT', `${name} was removed from the cluster meanwhile`, { hint: 'maki machine list' })
}
