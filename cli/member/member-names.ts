import { findMember, type MemberKey, type Operation } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** The names of all who were ever admitted, removed ones included. */
export async function readMemberNames(
  replica: Pick<Replica, 'read' | 'fold'>,
): Promise<ReadonlyMap<MemberKey, string>> {
  const { state, members } = replica.fold
  const names = new Map<MemberKey, string>()
  for (const { key, grants } of members.values()) {
    const admission = grants.at(-1)
    const name =
      findMember(state, key)?.name ??
      (admission === undefined ? undefined : findGivenName(await replica.read(admission.operation), key))
    if (name !== undefined) names.set(key, name)
  }
  return names
}

/** The name that an operation gave a member when it admitted it; undefined where it admitted others only. */
export function findGivenName(operation: Pick<Operation, 'changes'> | undefined, key: MemberKey): string | undefined {
  for (const change of operation?.changes.toReversed() ?? []) {
    if (change.kind === 'cluster.create') {
      if (change.operator.key === key) return change.operator.name
      if (change.recovery === key) return 'recovery'
    } else if ((change.kind === 'operator.add' || change.kind === 'node.join') && change.key === key) return change.name
  }
  return undefined
}
