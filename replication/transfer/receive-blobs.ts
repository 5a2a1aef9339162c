import { asMakiError, type ErrorCode, MakiError } from '../../core/index.ts'
import { SMALL_BLOB_BYTES } from '../blobs/blob-pack.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { BlobPeer, PeerFault } from './peer-ranking.ts'
import { requestBlob, requestPack, type TransferContext } from './peer-requests.ts'
import type { Want } from './want-table.ts'

/** Nobody is to blame and nothing is settled: the same wants go back into the queue. */
export class TryAgain extends MakiError {
  constructor() {
    super('MAKI_CONFLICT', 'the blob is asked for once more')
  }
}

/** Which errors are the peer's; the others are ours, and those who wait hear of them. */
export const FAULTS: { readonly [code in ErrorCode]?: PeerFault } = {
  MAKI_BLOB_MISMATCH: 'lied',
  MAKI_PROTOCOL: 'lied',
  MAKI_TOO_LARGE: 'lied',
  MAKI_TIMEOUT: 'stalled',
  MAKI_UNREACHABLE: 'failed',
}

/** A manifest is the one thing whose size nobody announces; it unpacks to at most as much. */
const MAX_UNANNOUNCED_BYTES = 256 * 1024 * 1024

/** Takes what a peer has of many small blobs; what it left out it does not have. Throws what it did wrong, or TryAgain. */
export async function receivePack(
  store: BlobStore,
  peer: BlobPeer,
  wants: readonly Want[],
  context: TransferContext,
): Promise<void> {
  const asked = new Map(wants.map((want) => [want.hash, want]))
  const pack = await requestPack(peer.url, [...asked.keys()], context)
  await store.putPack(pack, {
    accept: (hash, sizeBytes) => {
      const want = asked.get(hash)
      if (want === undefined) throw new MakiError('MAKI_PROTOCOL', `the peer sent blob ${hash} unasked`)
      asked.delete(hash)
      if (want.limitBytes === undefined || sizeBytes <= want.limitBytes) return
      // The manifest may be what is wrong, so this is nobody's fault; the rest of the pack is asked for again.
      want.asked.add(peer.key)
      throw new TryAgain()
    },
  })
}

/**
 * Takes one blob, from where the last peer broke off; true when it was resumed. Returns without it when the peer does
 * not have it. Throws what the peer did wrong, or TryAgain.
 */
export async function receiveSingle(
  store: BlobStore,
  peer: BlobPeer,
  want: Want,
  context: TransferContext,
): Promise<boolean> {
  const fromBytes = want.partial?.writer.writtenBytes ?? 0
  const reply = await requestBlob(peer.url, want.hash, fromBytes, context)
  if (reply === undefined) return false
  const { startBytes, totalBytes } = reply
  const isTooLarge = totalBytes > (want.limitBytes ?? MAX_UNANNOUNCED_BYTES)
  const isOther = want.partial !== undefined && want.partial.totalBytes !== totalBytes
  if (isTooLarge || isOther) {
    reply.discard()
    if (isTooLarge) return false
    // Somebody is wrong about the size; only whole blobs of one peer each can tell who.
    distrustPieces(want)
    throw new TryAgain()
  }
  if (startBytes === 0) forgetPartial(want)
  if (want.partial === undefined && totalBytes <= SMALL_BLOB_BYTES) {
    // Not worth resuming: a manifest is on the way of every release, and so it is written in one turn.
    await store.put(want.hash, reply.body)
    return false
  }
  const partial = want.partial ?? { writer: await store.createWriter(want.hash), totalBytes, peers: new Set() }
  want.partial = partial
  partial.peers.add(peer.key)
  try {
    for await (const chunk of reply.body) await partial.writer.write(chunk)
  } catch (error) {
    // A connection that breaks after the last byte took nothing away.
    if (partial.writer.writtenBytes !== totalBytes) {
      if (!want.resumable || FAULTS[asMakiError(error).code] === undefined) forgetPartial(want)
      throw error
    }
  }
  want.partial = undefined
  try {
    await store.commitWriter(partial.writer)
  } catch (error) {
    if (asMakiError(error).code !== 'MAKI_BLOB_MISMATCH' || partial.peers.size === 1) throw error
    distrustPieces(want)
    throw new TryAgain()
  }
  return startBytes > 0
}

function distrustPieces(want: Want): void {
  want.resumable = false
  forgetPartial(want)
}

/** Deletes the pieces of a blob that is not wanted any more, or not from there. */
export function forgetPartial(want: Want): void {
  void want.partial?.writer.discard()
  want.partial = undefined
}
