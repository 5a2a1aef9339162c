import { findSealEpoch, listExposed, MakiError, type SealEpochKey, type Sealed } from '../../core/index.ts'
import type { ClusterClient } from './cluster-client.ts'

/**
 * The epoch that this computer seals to. A node is asked to begin one where there is none, but only what the replica here holds
 * to be safe is used. Throws MAKI_UNSUPPORTED while a node runs a version without seals, MAKI_UNREACHABLE where there is none and
 * no node can be asked.
 */
export async function requireSealEpoch(client: ClusterClient): Promise<SealEpochKey> {
  const known = findSealEpoch(client.local.replica)
  if (known !== undefined) return known.key
  const reached = await client.reach()
  if (reached === undefined) {
    throw new MakiError('MAKI_UNREACHABLE', 'nothing can be sealed here: no key is known that only nodes can open', {
      hint: 'Run the command once where a node can be reached; the nodes make such a key.',
    })
  }
  await reached.control.sealEpoch(client.signal)
  await client.exchange()
  const begun = findSealEpoch(client.local.replica)
  if (begun !== undefined) return begun.key
  throw new MakiError('MAKI_CONFLICT', `${reached.machine.name} knows no key that only nodes of the cluster can open`, {
    hint: 'A machine was removed that it has not heard of, or came back: maki status',
  })
}

/** Seals for one place of the cluster; nobody on this computer can open it again. */
export async function sealFor(
  client: ClusterClient,
  epoch: SealEpochKey,
  purpose: string,
  value: Uint8Array,
): Promise<Sealed> {
  const { sealValue } = await import('../../replication/index.ts')
  return sealValue(epoch, value, { cluster: client.profile.cluster, purpose }, client.runtime)
}

/** Names of what is sealed in a way that somebody outside the cluster may open: key of the state, and purpose. */
export function listExposedPlaces(client: ClusterClient): ReadonlySet<string> {
  const exposed = listExposed(client.local.replica)
  // The key of a certificate that was replaced is sealed for the same place, and says nothing of the one that took it.
  return new Set(exposed.filter(({ what }) => what.kind !== 'revocation').map(({ purpose }) => purpose))
}
