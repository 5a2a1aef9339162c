import type { ClusterId, Emitter, Log, MemberKey, Runtime, Signer } from '../../core/index.ts'
import type { GossipReplica } from '../ports.ts'
import type { AwarenessEvents, AwarenessView } from './awareness.ts'
import type { AwarenessData } from './awareness-entry.ts'
import type { GossipCounters } from './gossip-messages.ts'
import type { Network } from './network.ts'

export interface GossipOptions {
  readonly replica: GossipReplica
  readonly signer: Signer
  readonly cluster: ClusterId
  readonly runtime: Runtime
  readonly log: Log
  /** Default TCP. */
  readonly network?: Network
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Addresses to dial, `host:port`; more can be given later. */
  readonly bootstrap: readonly string[]
  /** Greater than in every earlier process of this member. */
  readonly incarnation: number
  readonly version: string
  /** TCP port of our blob server; 0 for none. */
  readonly blobsPort: number
  /** Membership operations that admit us, oldest first, from the one that creates the cluster. */
  readonly admission: readonly Uint8Array[]
  isMember(key: MemberKey): boolean
  /**
   * Whether a member, proved to be itself, may be at the address of its connection: in the mesh each has its own, so that neither a
   * stolen key of a member nor a stolen key of WireGuard is enough. Everywhere by default.
   */
  readonly mayBeAt?: (key: MemberKey, host: string) => boolean
  /** Decides about a stranger; see `verifyAdmission`. */
  admits(key: MemberKey, operations: readonly Uint8Array[]): boolean
}

/** A member that we are linked with. */
export interface GossipPeer {
  readonly key: MemberKey
  /** The address that its connection comes from or goes to. */
  readonly host: string
  readonly blobsPort: number
  readonly version: string
  readonly incarnation: number
}

export interface GossipEvents {
  /** A member is linked that was not. */
  'peer-up': GossipPeer
  /** No link with it is left. */
  'peer-down': { readonly key: MemberKey; readonly reason: string }
  awareness: AwarenessEvents['change']
  cloned: AwarenessEvents['cloned']
  /** The peer's inventory was equal to ours: nothing that it has is missing here. */
  agreed: { readonly key: MemberKey }
  /** A connection was refused or ended, and why; the reasons are stable words. */
  dropped: {
    readonly reason: string
    readonly detail: string
    readonly host: string
    readonly key: MemberKey | undefined
  }
}

export interface GossipService extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  readonly events: Emitter<GossipEvents>
  readonly awareness: {
    /** Says this about ourselves from now on. Throws MAKI_TOO_LARGE. */
    set(data: AwarenessData): void
    entries(): readonly AwarenessView[]
    /** Members with whose key two machines spoke within the last ten minutes; ourselves may be among them. Sorted. */
    clones(): readonly MemberKey[]
  }
  readonly counters: Readonly<GossipCounters & { readonly dropped: Readonly<Record<string, number>> }>
  peers(): readonly GossipPeer[]
  /** Replaces the addresses that are dialled. Links that are up stay up. Throws MAKI_CONFIG. */
  setAddresses(addresses: readonly string[]): void
}
