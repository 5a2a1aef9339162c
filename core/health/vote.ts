import type { Votes } from './address-verdict.ts'
import type { SaidObservation } from './said-observations.ts'

/** What is made of the words about one face. */
export interface VoteCount {
  readonly votes: Votes
  readonly down: boolean
  /** Of the first who says that it is down and why. */
  readonly reason: string | undefined
}

/** Down where more than half of those who can tell say so: a tie, and silence, leave it up. */
export function countVotes(words: Iterable<SaidObservation | undefined>): VoteCount {
  let up = 0
  let down = 0
  let reason: string | undefined
  for (const word of words) {
    if (word === undefined) continue
    if (word === true) {
      up += 1
      continue
    }
    down += 1
    reason ??= word === '' ? undefined : word
  }
  return { votes: { up, down }, down: down > up, reason }
}

/**
 * Whether what is heard can speak for the cluster: more than half of its nodes, counting oneself. Two nodes never have a
 * majority against each other, so each of them goes by its own eyes.
 */
export const hearsMajority = (heard: number, nodes: number): boolean => nodes !== 2 && heard * 2 > nodes
