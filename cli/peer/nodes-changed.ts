import { type Key, keys, listNodes, type State } from '../../core/index.ts'
import type { MemberRow } from '../member/members.ts'

/**
 * When a configuration of an external peer last became another one: a node joined or left, or got another address, key, port or
 * endpoint. Milliseconds since the epoch by the clock of whoever wrote it; undefined where there never was a node. `members` has
 * those that were removed too. Pure.
 */
export function findNodesChangedMs(state: State, members: readonly MemberRow[]): number | undefined {
  const written = listNodes(state).flatMap(({ key }): Key[] => [
    keys.node(key),
    keys.nodeField(key, 'addresses'),
    keys.nodeField(key, 'mesh'),
  ])
  const times = [
    ...written.flatMap((key) => state.get(key)?.stamp.wallMs ?? []),
    ...members.flatMap(({ role, removed }) => (role !== 'node' || removed === null ? [] : Date.parse(removed.at))),
  ]
  return times.length === 0 ? undefined : Math.max(...times)
}

/** Of one peer: also what was written of the peer itself. */
export function findConfigChangedMs(
  state: State,
  members: readonly MemberRow[],
  peer: { readonly name: Parameters<typeof keys.peer>[0] },
): number {
  const ownMs = state.get(keys.peer(peer.name))?.stamp.wallMs ?? 0
  return Math.max(ownMs, findNodesChangedMs(state, members) ?? 0)
}
