import { findNode, keys, listDomains, type MemberKey, type NodeField, type State } from '../../core/index.ts'
import { AUTOMATIC_TTL } from '../../dns/records/index.ts'

/**
 * How long a resolver may remember an answer that names a node as the place for visitors, seconds: the largest TTL among the
 * sets that are answered with addresses of nodes. 0 without domains: nobody is sent anywhere. Pure.
 */
export function findVisitorTtl(state: State): number {
  const domains = listDomains(state)
  if (domains.length === 0) return 0
  const geographic = domains.flatMap(({ records }) =>
    records.flatMap(({ value }) => (value.geo === true ? [value.ttl] : [])),
  )
  return Math.max(AUTOMATIC_TTL, ...geographic)
}

/** How much longer resolvers may send visitors to a node that was drained, milliseconds; from when it was written. */
export function findDrainRest(state: State, key: MemberKey, nowMs: number): number {
  const entry = state.get(keys.nodeField(key, 'drained' satisfies NodeField))
  const ttlMs = findVisitorTtl(state) * 1000
  if (entry === undefined || findNode(state, key)?.drained !== true) return ttlMs
  // An author's clock that is ahead makes nobody wait for longer than a whole TTL.
  return Math.min(ttlMs, Math.max(0, entry.stamp.wallMs + ttlMs - nowMs))
}
