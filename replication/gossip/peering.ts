import type { GossipLink } from './gossip-link.ts'
import type { GossipPeer } from './gossip-options.ts'
import type { LinkClaim } from './link-choice.ts'
import type { SessionPeer } from './session.ts'

/** A member that is linked, and the link that stays of those with it. */
export interface Peering {
  readonly link: GossipLink
  readonly peer: SessionPeer
  readonly claim: LinkClaim
  /** On the monotonic clock. */
  readonly sinceMs: number
  /** Until when it need not be a member, on the monotonic clock; undefined for who was one. */
  graceUntilMs: number | undefined
  badEntries: number
}

/** As others are told of it. */
export const describePeering = ({ link, peer }: Peering): GossipPeer => ({
  key: peer.key,
  host: link.remote.host,
  blobsPort: peer.blobsPort,
  version: peer.version,
  incarnation: peer.incarnation,
})
