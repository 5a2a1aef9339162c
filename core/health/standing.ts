import type { MemberKey } from '../ids.ts'

export type AddressFamily = 'ipv4' | 'ipv6'

/**
 * What a node concludes of an address that visitors use. `held`: it answers again, and waits until its verdict of down has
 * been held long enough, or is seen to answer by this node alone, where votes leave none; visitors are sent there before any
 * that is `down`, and after those that are `up`.
 */
export type Standing = 'up' | 'held' | 'down'

/** What DNS is told of a node. */
export interface NodeStanding {
  readonly ipv4: Standing
  readonly ipv6: Standing
  /** More than ten minutes behind in operations: it would show visitors what was. */
  readonly behind: boolean
}

/** A node that is not in it is up and not behind. */
export type NodeStandings = ReadonlyMap<MemberKey, NodeStanding>
