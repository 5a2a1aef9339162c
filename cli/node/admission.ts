import { keys, type MemberKey, type OperationId } from '../../core/index.ts'
import type { AdmissionRequest, Replica } from '../../replication/index.ts'

/** The chain of operations that admits a member, from the one that creates the cluster, oldest first; what a stranger presents. */
export async function collectAdmission(replica: Replica, member: MemberKey): Promise<Uint8Array[]> {
  const chain = new Map<OperationId, Uint8Array>()
  const wanted: MemberKey[] = [member]
  const seen = new Set<MemberKey>()
  for (let key = wanted.pop(); key !== undefined; key = wanted.pop()) {
    if (seen.has(key)) continue
    seen.add(key)
    for await (const operation of replica.history(keys.member(key))) {
      chain.set(operation.id, operation.bytes)
      wanted.push(operation.author)
    }
  }
  // Found from the member upwards.
  return [...chain.values()].reverse()
}

/** What decides about a stranger, as the fold of this replica sees it. */
export function admissionRules(replica: Replica): Pick<AdmissionRequest, 'cluster' | 'roleOf' | 'isRemoved'> {
  return {
    cluster: replica.cluster,
    roleOf: (key) => replica.findMember(key)?.grants.at(-1)?.role,
    isRemoved: (key) => (replica.findMember(key)?.cuts.length ?? 0) > 0,
  }
}
