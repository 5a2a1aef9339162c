import type { WireGuardKey } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'

/** What a WireGuard device says of a peer. */
export interface TunnelPeer {
  readonly publicKey: WireGuardKey
  /** Where its last authentic datagram came from, or where it was told to be; undefined while nobody knows. */
  readonly endpoint: NetworkAddress | undefined
  /** In CIDR notation, RFC 5952. */
  readonly allowedIps: readonly string[]
  /** Seconds; 0 for never. */
  readonly keepaliveSecs: number
  /** Wall clock, milliseconds since the epoch; undefined where there was none. */
  readonly lastHandshakeMs: number | undefined
  readonly receivedBytes: number
  readonly sentBytes: number
}

export interface TunnelStatus {
  /** Undefined while it has no private key. */
  readonly publicKey: WireGuardKey | undefined
  readonly listenPort: number
  readonly peers: readonly TunnelPeer[]
}

/** What is to be different at a peer; what is absent stays as it is. */
export interface TunnelPeerChange {
  readonly publicKey: WireGuardKey
  /** The peer is taken away, and nothing else said of it. */
  readonly remove?: true
  /** An address, no name. */
  readonly endpoint?: NetworkAddress
  readonly keepaliveSecs?: number
  /** All that it may send from, in CIDR notation: takes the place of what it had. */
  readonly allowedIps?: readonly string[]
}

export interface TunnelChange {
  /** 32 bytes. */
  readonly privateKey?: Uint8Array
  readonly listenPort?: number
  readonly peers?: readonly TunnelPeerChange[]
}

/**
 * A WireGuard device: the kernel's, or that of `wireguard-go`. One conformance suite
 * (`test/replication/mesh/tunnel-conformance.ts`) runs on each. Sessions of peers that a change does not name go on. Its
 * end takes the interface away, except after `handOver`.
 */
export interface Tunnel extends AsyncDisposable {
  readonly kind: 'kernel' | 'userspace'
  /** The name of its network interface. */
  readonly interface: string
  /** Rejects with MAKI_UNREACHABLE when the device is gone. */
  status(): Promise<TunnelStatus>
  /** All of it, or a MakiError and nothing of the peer that it failed at. */
  apply(change: TunnelChange): Promise<void>
  /** Resolves when the device has ended by itself: a process that died, an interface that somebody deleted. */
  readonly gone: Promise<string>
  /** Its end, which is to follow, leaves the device and its sessions to who opens a tunnel of the same name next. */
  handOver(): void
}

/** A network interface as the kernel has it. */
export interface Link {
  readonly index: number
  readonly mtu: number
  readonly isUp: boolean
  /** `wireguard`, `tun`; undefined for hardware. */
  readonly kind: string | undefined
}

/** What the packet filter of an interface holds back. */
export interface MeshFilter {
  readonly interface: string
  /** The network of all mesh addresses, CIDR: packets to it that come in by another interface than this or loopback are dropped. */
  readonly mesh: string
  /** The network of external peers, CIDR: they may answer what nodes began, and ping; all else of theirs is dropped, and so is all that would be forwarded from or to the interface. */
  readonly peers: string
}

/** Interfaces, addresses, routes and the packet filter of this machine: netlink. Every verb is idempotent. */
export interface NetworkControl extends Disposable {
  findLink(name: string): Promise<Link | undefined>
  /** Rejects with MAKI_UNSUPPORTED where the kernel has no WireGuard. */
  addWireGuardLink(name: string): Promise<void>
  deleteLink(name: string): Promise<void>
  setLink(name: string, change: { readonly mtu?: number; readonly isUp?: boolean }): Promise<void>
  /** The global addresses of the interface become these (CIDR); others are taken away. */
  setAddresses(name: string, addresses: readonly string[]): Promise<void>
  /**
   * Routes that lead there (CIDR); what is missing is added. Rejects with MAKI_CONFLICT where another leads the same network elsewhere,
   * and leaves that one.
   */
  addRoutes(name: string, networks: readonly string[]): Promise<void>
  /** The MTU of the interface that packets to this address leave by; undefined where no route leads there. */
  findPathMtu(address: string): Promise<number | undefined>
  /** In one step; rejects with MAKI_UNSUPPORTED where the kernel has no nftables. */
  setFilter(filter: MeshFilter): Promise<void>
  /** Takes the filter of an interface away. */
  removeFilter(interfaceName: string): Promise<void>
}
