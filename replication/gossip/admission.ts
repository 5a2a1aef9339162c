import type { Change, ClusterId, MemberKey, Operation, Role } from '../../core/index.ts'
import { readOperation } from '../replica/read-operation.ts'
import { MAX_ADMISSION_BYTES, MAX_ADMISSION_OPERATIONS } from './wire.ts'

export interface AdmissionRequest {
  readonly cluster: ClusterId
  /** The stranger, whose proof of holding the key was checked. */
  readonly key: MemberKey
  /** What it presents, oldest first. */
  readonly operations: readonly Uint8Array[]
  /** As the state here says; undefined for who is no member. */
  readonly roleOf: (key: MemberKey) => Role | undefined
  /** True for a key that the state here has ever seen removed: it never returns. */
  readonly isRemoved: (key: MemberKey) => boolean
}

export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly reason: string }

/**
 * Decides whether a stranger may speak: its operations must form a chain of additions, each by an operator of the
 * state or one admitted earlier in the list, that adds the stranger. A replica that knows nothing yet trusts the
 * operation whose id is the cluster's. This opens the door only: what counts is decided by the fold, when the
 * operations are merged.
 */
export function verifyAdmission(request: AdmissionRequest): Admission {
  const { cluster, key, operations, roleOf, isRemoved } = request
  if (isRemoved(key)) return refused('its key was removed')
  if (operations.length > MAX_ADMISSION_OPERATIONS || sizeOf(operations) > MAX_ADMISSION_BYTES)
    return refused('its admission is too long')
  const admitted = new Map<MemberKey, Role>()
  const mayAdd = (author: MemberKey) => {
    const role = isRemoved(author) ? undefined : (roleOf(author) ?? admitted.get(author))
    return role === 'operator' || role === 'recovery'
  }
  for (const bytes of operations) {
    let operation: Operation
    try {
      operation = readOperation(bytes, cluster)
    } catch {
      return refused('its admission holds what is no operation of this cluster')
    }
    const founds = (operation.id as string) === cluster
    if (!founds && !mayAdd(operation.author)) return refused('its admission is signed by nobody who may admit')
    for (const change of operation.changes)
      for (const [member, role] of additions(change)) if (!admitted.has(member)) admitted.set(member, role)
  }
  return admitted.has(key) ? { admitted: true } : refused('no operation admits it')
}

function additions(change: Change): readonly (readonly [MemberKey, Role])[] {
  switch (change.kind) {
    case 'cluster.create':
      return [
        [change.recovery, 'recovery'],
        [change.operator.key, 'operator'],
      ]
    case 'operator.add':
      return [[change.key, change.role]]
    case 'node.join':
      return [[change.key, 'node']]
    default:
      return []
  }
}

const sizeOf = (list: readonly Uint8Array[]) => list.reduce((sum, bytes) => sum + bytes.length, 0)
const refused = (reason: string): Admission => ({ admitted: false, reason })
