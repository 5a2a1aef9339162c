import type { Replica } from '../../replication/index.ts'

/** When each held operation falls due by the clock here, ISO 8601, by its id. */
export function listDue(replica: Pick<Replica, 'held' | 'explain'>): Record<string, string> {
  const due: Record<string, string> = {}
  for (const id of replica.held()) {
    const standing = replica.explain(id)
    if (standing.status === 'held') due[id] = new Date(standing.dueMs).toISOString()
  }
  return due
}
