import {
  canSeal,
  findSealEpoch,
  listGrants,
  listNeededEpochs,
  listUngranted,
  liveNodes,
  type MemberKey,
  rankHolders,
  type SealEpochKey,
  type SealView,
} from '../../core/index.ts'

/** What a node sees when it asks itself what is its to do. */
export interface DutyView {
  readonly cluster: SealView
  readonly self: MemberKey
  /** True where the private half of the epoch is in memory here. */
  holds(epoch: SealEpochKey): boolean
  /** Nodes that were heard lately, this one among them. */
  readonly up: ReadonlySet<MemberKey>
  /** Epochs that a node says it cannot open though it was granted them: those grants were bogus. */
  readonly lacking: ReadonlyMap<MemberKey, ReadonlySet<SealEpochKey>>
}

/** Something that has to be done. `rank` 0 does it at once; the others only when it stays undone. */
export type SealDuty =
  | { readonly kind: 'begin'; readonly id: string; readonly rank: number }
  /** This node cannot open the epoch that everybody seals to, and nobody helps it. */
  | { readonly kind: 'renew'; readonly id: string }
  | {
      readonly kind: 'grant'
      readonly id: string
      readonly rank: number
      readonly epoch: SealEpochKey
      readonly node: MemberKey
    }

/** The `id` of the duty to give an epoch to a node. */
export const grantId = (epoch: SealEpochKey, node: MemberKey): string => `grant ${epoch} ${node}`

/**
 * What this node may have to do for the seals of the cluster; pure. Every node asks the same of the same state, so that mostly
 * one acts; two that act at once do harmless double work.
 */
export function planSealDuties(view: DutyView): readonly SealDuty[] {
  const { cluster, self, up } = view
  const { state } = cluster
  const nodes = liveNodes(cluster)
  if (!nodes.has(self) || !canSeal(state)) return []
  const rank = (topic: string, candidates: readonly MemberKey[]): number =>
    rankHolders(
      topic,
      candidates.filter((key) => key === self || up.has(key)),
    ).indexOf(self)
  const present = findSealEpoch(cluster)
  if (present === undefined) return [{ kind: 'begin', id: 'begin', rank: rank('seal.epoch', [...nodes]) }]
  const duties: SealDuty[] = []
  if (!view.holds(present.key)) duties.push({ kind: 'renew', id: `renew ${present.key}` })
  for (const epoch of listNeededEpochs(cluster)) {
    if (!view.holds(epoch.key)) continue
    const grants = listGrants(state, epoch.key)
    const holders = new Set(grants.map(({ node }) => node).filter((key) => nodes.has(key)))
    const grant = (node: MemberKey, candidates: readonly MemberKey[]): void => {
      const id = grantId(epoch.key, node)
      duties.push({ kind: 'grant', id, rank: rank(id, [...candidates, self]), epoch: epoch.key, node })
    }
    for (const node of listUngranted(cluster, epoch.key)) grant(node, [...holders])
    for (const node of nodes) {
      if (node === self || view.lacking.get(node)?.has(epoch.key) !== true) continue
      // Each giver's grant has a place of its own, and one that did not open does not open when it is given again.
      const givers = new Set(grants.filter((known) => known.node === node).map(({ giver }) => giver))
      if (givers.size === 0 || givers.has(self)) continue
      grant(
        node,
        [...holders].filter((key) => key !== node && !givers.has(key)),
      )
    }
  }
  return duties
}
