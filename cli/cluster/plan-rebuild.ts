import {
  type Change,
  findCluster,
  type Hostname,
  isOperator,
  isRemoved,
  keys,
  listDomains,
  listNodes,
  listPeers,
  listSealed,
  MakiError,
  type MemberKey,
  type OperationId,
  type Release,
  type RemovalReach,
  roleOf,
  type SealedThing,
  shortId,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** A node that is taken for lost. */
export interface LostNode {
  readonly name: string
  readonly key: MemberKey
}

/** A domain as the copy on this computer has it; only its files were on the nodes alone. */
export interface KeptDomain {
  readonly domain: Hostname
  readonly aliases: number
  /** RRsets that somebody wrote; the automatic ones follow from the nodes. */
  readonly records: number
  /** The winning release; null where there is none. */
  readonly release: Release | null
  /** The project whose `maki sync` has the files; null where a person published it in another way. */
  readonly project: string | null
}

/** What a copy of the cluster has when every node is gone, and what is to be written so that others take their place. */
export interface RebuildPlan {
  readonly cluster: string
  readonly lost: readonly LostNode[]
  /** For one operation; empty where no node is left to be taken out. */
  readonly changes: readonly Change[]
  /** Operations that would not count any more; with `revoke`. */
  readonly voids: readonly OperationId[]
  readonly domains: readonly KeptDomain[]
  /** What only the nodes could open: nobody has it any more. */
  readonly sealed: readonly SealedThing[]
  /** External peers, which have to be told of the new nodes. */
  readonly peers: readonly string[]
}

type Source = Pick<Replica, 'state' | 'members' | 'preview'>

/**
 * Plans to take out every node at once. Pure. Throws MAKI_OPERATION_REFUSED where that would not count, since the author is no
 * operator.
 */
export function planRebuild(replica: Source, author: MemberKey, how: RemovalReach): RebuildPlan {
  const { state, members } = replica
  const names = new Map(listNodes(state).map(({ key, name }) => [key, name as string]))
  const lost = [...members.values()]
    .filter((member) => roleOf(member) === 'node' && !isRemoved(member))
    .map(({ key }): LostNode => ({ key, name: names.get(key) ?? shortId(key) }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const remover = members.get(author)
  if (remover === undefined || isRemoved(remover) || !isOperator(remover)) throw refuse()
  const changes = lost.map(({ key }): Change => ({ kind: 'node.remove', key, how }))
  const { reason, voids } = changes.length === 0 ? { voids: [] } : replica.preview(author, changes)
  if (reason !== undefined) throw refuse()
  return {
    cluster: findCluster(state)?.name ?? '',
    lost,
    changes,
    voids,
    domains: listDomains(state).map(({ apex, aliases, records, release }) => ({
      domain: apex,
      aliases: aliases.length,
      records: records.length,
      release: release ?? null,
      project: state.get(keys.release(apex))?.via ?? null,
    })),
    sealed: listSealed(state).map(({ what }) => what),
    peers: listPeers(state).map(({ name }) => name),
  }
}

const refuse = () =>
  new MakiError('MAKI_OPERATION_REFUSED', 'your key may remove no nodes: only operators may', {
    hint: 'With the recovery key this computer becomes an operator: maki cluster recover --recovery-key FILE',
  })
