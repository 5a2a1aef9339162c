import { listExposed } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'
import type { Replica } from '../../replication/index.ts'

/** What a status says that follows from the operations of one replica, and not from what nodes say of themselves. */
export type ReplicaStatus = Omit<ClusterStatus, 'cluster' | 'self' | 'nodes' | 'damaged'>

/** Where the operations of a replica stand, on a node and in the copy on a computer alike. */
export function describeStandings(
  replica: Pick<
    Replica,
    'state' | 'members' | 'isAncestor' | 'pending' | 'held' | 'explain' | 'voids' | 'unknown' | 'conflicts'
  >,
): ReplicaStatus {
  return {
    pending: replica.pending(),
    held: replica.held(),
    due: listDue(replica),
    void: replica.voids(),
    unknown: replica.unknown(),
    exposed: listExposed(replica).map(({ what }) => what),
    conflicts: replica.conflicts().map(({ key, winner, losers }) => ({
      key,
      winner: winner.operation,
      losers: losers.map(({ operation }) => operation),
    })),
  }
}

/** When each held operation falls due by the clock here, ISO 8601, by its id. */
function listDue(replica: Pick<Replica, 'held' | 'explain'>): Record<string, string> {
  const due: Record<string, string> = {}
  for (const id of replica.held()) {
    const standing = replica.explain(id)
    if (standing.status === 'held') due[id] = new Date(standing.dueMs).toISOString()
  }
  return due
}
