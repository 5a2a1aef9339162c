import { type ClusterId, keys, listNodes, listPeers, meshNetwork, type PeerView, type State } from '../../core/index.ts'
import { canonicalIpv6 } from '../machine/read-update.ts'
import { isInNetwork } from './in-network.ts'

/** An external peer as `maki peer list` shows it. */
export interface PeerRow extends PeerView {
  /** ISO 8601, by the clock of whoever wrote it. */
  readonly addedAt: string
  /** Since when its own configuration is as `maki peer wg-config` prints it now; ISO 8601. */
  readonly configSince: string
  /** What does not fit, and what to type; null where nothing is wrong. */
  readonly advice: string | null
}

/** What rows are made from. */
export interface PeerRowSource {
  readonly state: State
  readonly cluster: ClusterId
  /** When the nodes last changed, milliseconds since the epoch; undefined without nodes. */
  readonly changedMs: number | undefined
}

/** Rows of all external peers. What two computers wrote at once may not fit together, and is said. Pure. */
export function buildPeerRows({ state, cluster, changedMs }: PeerRowSource): readonly PeerRow[] {
  const peers = listPeers(state)
  return peers.map((peer, i): PeerRow => {
    const addedMs = state.get(keys.peer(peer.name))?.stamp.wallMs ?? 0
    const fault = findFault(peer, peers.slice(0, i), state, cluster)
    return {
      ...peer,
      addedAt: new Date(addedMs).toISOString(),
      configSince: new Date(Math.max(addedMs, changedMs ?? 0)).toISOString(),
      advice: fault === undefined ? null : `${peer.name} ${fault}: maki peer remove ${peer.name}`,
    }
  })
}

/** Why the nodes leave a peer out: it claims what is somebody else's, of two peers the first one's by name. */
function findFault(
  { publicKey, address }: PeerView,
  before: readonly PeerView[],
  state: State,
  cluster: ClusterId,
): string | undefined {
  const network = meshNetwork(cluster, 'peers')
  if (!isInNetwork(address, network)) return `is left out, for its address is not in ${network}`
  const node = listNodes(state).find(({ mesh }) => mesh?.publicKey === publicKey)
  const twin = node ?? before.find((other) => other.publicKey === publicKey)
  if (twin !== undefined) return `is left out, for its key is that of ${twin.name}`
  const neighbour = before.find((other) => canonicalIpv6(other.address) === canonicalIpv6(address))
  return neighbour && `is left out, for its address is that of ${neighbour.name}`
}
