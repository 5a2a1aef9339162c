import {
  type Change,
  Fold,
  formatWireGuardKey,
  type MemberKey,
  type NodeMesh,
  type NodeName,
  type Operation,
  type State,
  type WireGuardKey,
} from '../../../core/index.ts'
import { testSigner } from '../../support/histories.ts'
import { cluster, follow } from '../chain.ts'

/** Keys of WireGuard by number; nobody has their private halves. */
export const meshKey = (number: number): WireGuardKey => formatWireGuardKey(new Uint8Array(32).fill(number + 1))

export const memberAt = (number: number): MemberKey => testSigner(60 + number).key

/** A node joins with this place in the mesh. */
export function joinMesh(
  number: number,
  mesh: NodeMesh | undefined,
  addresses: { ipv4?: string | null; ipv6?: string | null } = {},
): Change {
  return {
    kind: 'node.join',
    key: memberAt(number),
    name: `node-${number}` as NodeName,
    addresses: { ipv4: null, ipv6: null, ...addresses },
    place: null,
    nameserver: false,
    drained: false,
    schema: 4,
    ...(mesh === undefined ? {} : { mesh }),
  }
}

/** The state after these changes, in this order, by the operator of the test's cluster. */
export function stateOf(changes: readonly Change[]): State {
  const fold = new Fold()
  let last: Operation = cluster.creation
  fold.add(last)
  for (const change of changes) {
    last = follow([last], [change])
    fold.add(last)
  }
  return fold.state
}
