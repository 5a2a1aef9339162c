import { listPeers, MakiError, type PeerView, type State } from '../../core/index.ts'
import { findNearest } from '../config/index.ts'

/** The external peer that is called so. Throws MAKI_NOT_FOUND with the nearest name. */
export function requirePeer(state: State, typed: string): PeerView {
  const peers = listPeers(state)
  const found = peers.find(({ name }) => name === typed.toLowerCase())
  if (found !== undefined) return found
  const names = peers.map(({ name }) => name)
  throw new MakiError('MAKI_NOT_FOUND', `there is no external peer ${JSON.stringify(typed)}`, {
    hint:
      findNearest(typed, names) ??
      (names.length > 0 ? `There are: ${names.join(', ')}` : 'maki peer add NAME --wg-pubkey KEY --endpoint HOST'),
  })
}
