import type { WireGuardKey } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import { endpointId } from './mesh-endpoint.ts'
import type { TunnelChange, TunnelPeer, TunnelPeerChange, TunnelStatus } from './ports.ts'

/** What a tunnel is to know of a peer. */
export interface WantedPeer {
  readonly publicKey: WireGuardKey
  /** CIDR, RFC 5952. */
  readonly allowedIps: readonly string[]
  readonly keepaliveSecs: number
  /** Undefined: whatever the device found out by itself stays. */
  readonly endpoint: NetworkAddress | undefined
}

export interface WantedTunnel {
  readonly publicKey: WireGuardKey
  /** 32 bytes, told only to a device that has another. */
  readonly privateKey: Uint8Array
  readonly listenPort: number
  readonly peers: readonly WantedPeer[]
}

/**
 * What has to be said to a device to make it what is wanted: nothing where it is so, and nothing of what stays. Removals come
 * first, so that an address is never at two peers. Pure.
 */
export function diffTunnel(status: TunnelStatus, wanted: WantedTunnel): TunnelChange {
  const known = new Map(status.peers.map((peer) => [peer.publicKey, peer]))
  const keep = new Set(wanted.peers.map(({ publicKey }) => publicKey))
  const removed = status.peers
    .filter(({ publicKey }) => !keep.has(publicKey))
    .map(({ publicKey }): TunnelPeerChange => ({ publicKey, remove: true }))
  const changed = wanted.peers.flatMap((peer) => diffPeer(known.get(peer.publicKey), peer) ?? [])
  // An address that moves from one peer to another is taken from the first before the second gets it.
  const owners = new Map(status.peers.flatMap((peer) => peer.allowedIps.map((one) => [one, peer.publicKey] as const)))
  const loses = (change: TunnelPeerChange): boolean =>
    change.allowedIps !== undefined &&
    (known.get(change.publicKey)?.allowedIps ?? []).some((one) => !change.allowedIps?.includes(one))
  const gains = (change: TunnelPeerChange): boolean =>
    change.allowedIps?.some((one) => (owners.get(one) ?? change.publicKey) !== change.publicKey) ?? false
  const rank = (change: TunnelPeerChange): number => (gains(change) ? 2 : loses(change) ? 0 : 1)
  const peers = [...removed, ...changed.sort((a, b) => rank(a) - rank(b))]
  return {
    ...(status.publicKey === wanted.publicKey ? {} : { privateKey: wanted.privateKey }),
    ...(status.listenPort === wanted.listenPort ? {} : { listenPort: wanted.listenPort }),
    ...(peers.length === 0 ? {} : { peers }),
  }
}

/** True when nothing has to be said. */
export const isEmptyChange = (change: TunnelChange): boolean => Object.keys(change).length === 0

function diffPeer(known: TunnelPeer | undefined, wanted: WantedPeer): TunnelPeerChange | undefined {
  const { publicKey, allowedIps, keepaliveSecs, endpoint } = wanted
  const change = {
    ...(endpoint === undefined || isSame(known?.endpoint, endpoint) ? {} : { endpoint }),
    ...(known?.keepaliveSecs === keepaliveSecs ? {} : { keepaliveSecs }),
    ...(known !== undefined && isSameSet(known.allowedIps, allowedIps) ? {} : { allowedIps }),
  }
  return Object.keys(change).length === 0 ? undefined : { publicKey, ...change }
}

const isSame = (known: NetworkAddress | undefined, wanted: NetworkAddress): boolean =>
  known !== undefined && endpointId(known) === endpointId(wanted)

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(a)
  return set.size === new Set(b).size && b.every((item) => set.has(item))
}
