import type { MemberKey } from '../../core/index.ts'

/** What decides between two links of one pair. */
export interface LinkClaim {
  /** The peer's, as proved on this link. */
  readonly incarnation: number
  /** Who dialled. */
  readonly initiator: MemberKey
}

type LinkChoice = 'keep-known' | 'take-new'

/**
 * Which of two links with the same peer survives; both sides decide alike, without a word. A later incarnation wins: the other
 * process is gone. When both dialled at once, the one dialled by the lesser key stays. When one side dialled twice, it
 * had lost the first.
 */
export function chooseLink(known: LinkClaim, incoming: LinkClaim): LinkChoice {
  if (incoming.incarnation !== known.incarnation)
    return incoming.incarnation > known.incarnation ? 'take-new' : 'keep-known'
  if (incoming.initiator === known.initiator) return 'take-new'
  return incoming.initiator < known.initiator ? 'take-new' : 'keep-known'
}
