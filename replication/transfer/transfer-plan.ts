import { MAX_PACK_HASHES } from './blob-server.ts'
import type { BlobPeer, PeerRanking } from './peer-ranking.ts'
import type { Want, WantTable } from './want-table.ts'

/** What is asked of one peer in one request. */
export type TransferPlan =
  | { readonly kind: 'pack'; readonly peer: BlobPeer; readonly wants: readonly Want[] }
  | { readonly kind: 'single'; readonly peer: BlobPeer; readonly want: Want }

/** From this size on a blob gets a request of its own, which can be resumed. */
const SINGLE_FROM_BYTES = 1024 * 1024
/** A pack is large enough that its flushes do not count, small enough that several peers share a release. */
const PACK_BYTES = 64 * 1024 * 1024
const PACK_BLOBS = MAX_PACK_HASHES

/**
 * The next request, or undefined when no free peer is left to ask. Nearest first; a peer that was put behind gets only
 * what all others were asked for.
 */
export function planTransfer(
  table: WantTable,
  peers: readonly BlobPeer[],
  ranking: PeerRanking,
  nowMs: number,
): TransferPlan | undefined {
  const ahead = peers.filter((peer) => !ranking.isBehind(peer.key, nowMs))
  const behind = peers.filter((peer) => ranking.isBehind(peer.key, nowMs))
  for (const peer of [...ahead, ...behind]) {
    if (!ranking.isFree(peer.key)) continue
    const isLast = behind.includes(peer)
    const fits = (want: Want): boolean =>
      !want.asked.has(peer.key) && (!isLast || ahead.every((other) => want.asked.has(other.key)))
    const plan = planFor(peer, table.queued, fits)
    if (plan !== undefined) return plan
  }
  return undefined
}

function planFor(peer: BlobPeer, queued: Iterable<Want>, fits: (want: Want) => boolean): TransferPlan | undefined {
  const wants: Want[] = []
  let bytes = 0
  for (const want of queued) {
    if (!fits(want)) continue
    const { limitBytes } = want
    if (limitBytes === undefined || limitBytes > SINGLE_FROM_BYTES) {
      if (wants.length === 0) return { kind: 'single', peer, want }
      continue
    }
    if (wants.length > 0 && bytes + limitBytes > PACK_BYTES) break
    wants.push(want)
    bytes += limitBytes
    if (wants.length === PACK_BLOBS) break
  }
  return wants.length === 0 ? undefined : { kind: 'pack', peer, wants }
}

/** Queued wants that every peer was asked for. */
export function findExhausted(table: WantTable, peers: readonly BlobPeer[]): Want[] {
  return [...table.queued].filter((want) => peers.every((peer) => want.asked.has(peer.key)))
}
