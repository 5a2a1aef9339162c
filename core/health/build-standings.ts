import type { MemberKey } from '../ids.ts'
import type { AddressVerdict } from './address-verdict.ts'
import type { NodeStanding, NodeStandings } from './standing.ts'

/** What `buildStandings` takes. */
export interface StandingsInput {
  readonly members: Iterable<MemberKey>
  readonly verdicts: readonly AddressVerdict[]
  readonly behind: ReadonlySet<MemberKey>
  /** Whether this node itself sees that the address answers. */
  readonly seen: (verdict: AddressVerdict) => boolean
}

/**
 * Of each node what `web` makes of its addresses; a family that it has not is up. Where a verdict of down leaves no address of
 * a family, the votes are of no use to whoever asks us, and those that we see are held: better than any at random.
 */
export function buildStandings({ members, verdicts, behind, seen }: StandingsInput): NodeStandings {
  const standings = new Map<MemberKey, NodeStanding>()
  for (const key of members) standings.set(key, { ipv4: 'up', ipv6: 'up', behind: behind.has(key) })
  for (const family of ['ipv4', 'ipv6'] as const) {
    const web = verdicts.filter((verdict) => verdict.service === 'web' && verdict.family === family)
    const isNoneLeft = web.every(({ standing }) => standing === 'down')
    for (const verdict of web) {
      const node = standings.get(verdict.key)
      const standing = isNoneLeft && seen(verdict) ? 'held' : verdict.standing
      if (node !== undefined) standings.set(verdict.key, { ...node, [family]: standing })
    }
  }
  return standings
}

/** Whether both say the same of the same nodes. */
export function sameStandings(a: NodeStandings, b: NodeStandings): boolean {
  if (a.size !== b.size) return false
  return [...a].every(([key, { ipv4, ipv6, behind }]) => {
    const other = b.get(key)
    return other !== undefined && other.ipv4 === ipv4 && other.ipv6 === ipv6 && other.behind === behind
  })
}
