import type { AddressFamily, NodeStanding, NodeView } from '../../core/index.ts'

/**
 * What keeps visitors from a node's address; of several the worst. Best first:
 * - `held` answers again, and is watched a while before it is trusted;
 * - `behind` answers, and shows what was;
 * - `drained` answers, and its owner wants it left alone;
 * - `down` does not answer, as far as this node concludes.
 */
export type Readiness = 'ready' | 'held' | 'behind' | 'drained' | 'down'

/** Best first. Visitors are sent to the first that any node is in: never an empty answer, and down only where all are. */
export const TIERS: readonly Readiness[] = ['ready', 'held', 'behind', 'drained', 'down']

/** Of an address of one family. A node of which nothing is known is ready. */
export function readinessOf(
  { drained }: Pick<NodeView, 'drained'>,
  standing: NodeStanding | undefined,
  family: AddressFamily,
): Readiness {
  if (standing?.[family] === 'down') return 'down'
  if (drained) return 'drained'
  if (standing?.behind === true) return 'behind'
  return standing?.[family] === 'held' ? 'held' : 'ready'
}
