import { isIP, isIPv6 } from 'node:net'
import {
  type ChangeOf,
  type ClusterId,
  isWireGuardKey,
  listNodes,
  listPeers,
  MakiError,
  meshAddress,
  meshNetwork,
  type PeerView,
  parseNodeName,
  type State,
  type WireGuardKey,
} from '../../core/index.ts'
import { isPublicAddress } from '../../dns/index.ts'
import { canonicalIpv6 } from '../machine/read-update.ts'
import { isInNetwork } from './in-network.ts'
import { readPeerEndpoint, splitEndpoint } from './read-endpoint.ts'

/** What was typed. */
export interface PeerRequest {
  readonly name: string
  readonly publicKey: string
  readonly endpoint: string
  readonly address?: string | undefined
}

/** What an addition writes. */
export interface PeerPlan {
  /** Undefined where the cluster has it so already. */
  readonly change: ChangeOf<'peer.set'> | undefined
  readonly peer: PeerView
  /** What a person should look at. */
  readonly cautions: readonly string[]
}

/** What there is already. */
export interface PeerSurroundings {
  readonly state: State
  readonly cluster: ClusterId
  /** Names of the machines of the profile. */
  readonly machines: readonly string[]
}

/**
 * Plans to add an external peer. Pure. Throws MAKI_INVALID and MAKI_USAGE for what cannot be read, MAKI_CONFLICT for a name, a key or
 * an address that is somebody's already.
 */
export function planPeer({ state, cluster, machines }: PeerSurroundings, request: PeerRequest): PeerPlan {
  const name = parseNodeName(request.name)
  const publicKey = readKey(request.publicKey)
  const endpoint = readPeerEndpoint(request.endpoint, cluster)
  const asked = request.address === undefined ? undefined : readAddress(request.address, cluster)
  const nodes = listNodes(state)
  const peers = listPeers(state)
  const present = peers.find((peer) => peer.name === name)
  const isSame =
    present?.publicKey === publicKey &&
    present.endpoint === endpoint &&
    (asked === undefined || asked === canonicalIpv6(present.address))
  if (present !== undefined && isSame) return { change: undefined, peer: present, cautions: [] }
  if (present !== undefined)
    throw conflict(`there is a peer ${name} already`, `To change it, first: maki peer remove ${name}`)
  if (machines.includes(name) || nodes.some((node) => node.name === name))
    throw conflict(`${name} is a machine of the cluster`, 'Give the peer another name.')
  const owner =
    nodes.find(({ mesh }) => mesh?.publicKey === publicKey) ?? peers.find((peer) => peer.publicKey === publicKey)
  if (owner !== undefined)
    throw conflict(
      `${publicKey} is the key of ${owner.name}, and packets of two that share one would go to either`,
      'Make a pair for the peer, on it: (umask 077; wg genkey > wg.key); wg pubkey < wg.key',
    )
  const address = asked ?? meshAddress(cluster, publicKey, 'peers')
  const tenant = peers.find((peer) => canonicalIpv6(peer.address) === address)
  if (tenant !== undefined)
    throw conflict(
      `${address} is the address of ${tenant.name}`,
      asked === undefined
        ? 'Choose another one with --wg-address.'
        : 'Leave --wg-address out: the address comes from the key.',
    )
  const peer = { name, publicKey, endpoint, address }
  return { change: { kind: 'peer.set', ...peer }, peer, cautions: endpoint === null ? [] : warnOf(endpoint, name) }
}

function readKey(text: string): WireGuardKey {
  // Of all zeros it is no key to WireGuard, which takes it for the absence of one.
  if (isWireGuardKey(text) && !/^A+=$/.test(text)) return text
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(text)} is no public key of WireGuard`, {
    hint: 'It is 44 characters that end in =, as wg prints them; on the peer: wg pubkey < PRIVATE-KEY-FILE',
  })
}

function readAddress(text: string, cluster: ClusterId): string {
  const network = meshNetwork(cluster, 'peers')
  const start = network.replace(/\/.*$/, '')
  const address = isIPv6(text) && !text.includes('%') ? canonicalIpv6(text) : undefined
  // The first one is that of whatever router there is (RFC 4291 section 2.6.1).
  if (address !== undefined && address !== start && isInNetwork(address, network)) return address
  throw new MakiError(
    'MAKI_USAGE',
    `--wg-address ${JSON.stringify(text)} is no address of the network of external peers, which is ${network}`,
    { hint: `Like --wg-address ${start}7; without it the address comes from the key.` },
  )
}

function warnOf(endpoint: string, name: string): string[] {
  const { host } = splitEndpoint(endpoint)
  if (isIP(host) === 0 || isPublicAddress(host)) return []
  return [`${host} is not public: only nodes in the same network reach ${name} there`]
}

const conflict = (message: string, hint: string) => new MakiError('MAKI_CONFLICT', message, { hint })
