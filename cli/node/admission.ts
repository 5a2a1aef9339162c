import {
  compareOperations,
  keys,
  type MemberKey,
  type Operation,
  type OperationId,
  type Role,
} from '../../core/index.ts'
import type { AdmissionRequest, Replica } from '../../replication/index.ts'

/** The chain of operations that admits a member, from the one that creates the cluster, oldest first; what a stranger presents. */
export async function collectAdmission(replica: Replica, member: MemberKey): Promise<Uint8Array[]> {
  const chain = new Map<OperationId, Operation>()
  const wanted: MemberKey[] = [member]
  const seen = new Set<MemberKey>()
  for (let key = wanted.pop(); key !== undefined; key = wanted.pop()) {
    if (seen.has(key)) continue
    seen.add(key)
    for await (const operation of replica.history(keys.member(key))) {
      chain.set(operation.id, operation)
      wanted.push(operation.author)
    }
  }
  return [...chain.values()].sort(compareOperations).map(({ bytes }) => bytes)
}

/** What decides about a stranger, as the fold of this replica sees it. */
export function admissionRules(replica: Replica): Pick<AdmissionRequest, 'cluster' | 'roleOf' | 'isRemoved'> {
  return {
    cluster: replica.cluster,
    roleOf: (key) => findRole(replica, key),
    isRemoved: (key) => (replica.findMember(key)?.cuts.length ?? 0) > 0,
  }
}

/** Of several grants the one that may admit others: a second one never takes away (`Member.grants`). */
function findRole(replica: Replica, key: MemberKey): Role | undefined {
  const roles = replica.findMember(key)?.grants.map(({ role }) => role) ?? []
  return roles.find((role) => role === 'recovery' || role === 'operator') ?? roles.at(-1)
}
