import type { MemberKey, WireGuardKey } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import type { ChoiceOutput } from './endpoint-choice.ts'
import type { MeshPlan } from './mesh-plan.ts'
import type { TunnelStatus } from './ports.ts'

/** How the tunnel to one peer is. */
export interface MeshPeerStatus {
  /** Undefined for an external peer, and for one that only the configuration knows. */
  readonly member: MemberKey | undefined
  readonly name: string
  readonly kind: 'node' | 'peer'
  readonly publicKey: WireGuardKey
  readonly address: string
  /** Where datagrams to it go; undefined while nobody knows. */
  readonly endpoint: NetworkAddress | undefined
  /** Milliseconds; undefined where there was none. */
  readonly handshakeAgeMs: number | undefined
  /** For how long it has not answered; undefined while it does. Says nothing of an external peer that is not spoken to. */
  readonly silentMs: number | undefined
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** How the mesh of this node is. */
export interface MeshStatus {
  readonly interface: string
  readonly address: string
  readonly publicKey: WireGuardKey
  readonly port: number
  /** Undefined while there is no tunnel. */
  readonly kind: 'kernel' | 'userspace' | undefined
  readonly mtu: number | undefined
  /** What cannot be as it should, in whole sentences without a final dot. */
  readonly troubles: readonly string[]
  readonly peers: readonly MeshPeerStatus[]
}

/** What was seen of a tunnel, and when by the monotonic clock. */
export interface LastLook {
  readonly atMs: number
  readonly status: TunnelStatus
  readonly choice: ChoiceOutput
}

/** The peers of a plan, as they were seen last, at a later moment. Pure. */
export function describePeers(plan: MeshPlan, last: LastLook | undefined, nowMs: number): readonly MeshPeerStatus[] {
  const sinceMs = nowMs - (last?.atMs ?? nowMs)
  const devices = new Map(last?.status.peers.map((peer) => [peer.publicKey, peer]))
  const choices = new Map(last?.choice.peers.map((peer) => [peer.publicKey, peer]))
  const later = (ms: number | undefined) => (ms === undefined ? undefined : ms + sinceMs)
  return plan.peers.map(({ candidates: _, ...peer }) => {
    const device = devices.get(peer.publicKey)
    const choice = choices.get(peer.publicKey)
    return {
      ...peer,
      endpoint: device?.endpoint,
      handshakeAgeMs: later(choice?.handshakeAgeMs),
      silentMs: later(choice?.silentMs),
      receivedBytes: device?.receivedBytes ?? 0,
      sentBytes: device?.sentBytes ?? 0,
    }
  })
}
