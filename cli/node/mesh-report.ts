import type { MeshReport } from '../../edge/index.ts'
import type { MeshStatus } from '../../replication/index.ts'
import { formatListenAddress } from '../config/index.ts'

/** The mesh of this node as its control API tells it. Pure. */
export function reportMesh({ kind, mtu, peers, troubles: _, ...mesh }: MeshStatus): MeshReport {
  return {
    ...mesh,
    kind: kind ?? null,
    mtu: mtu ?? null,
    peers: peers.map(({ member: _, endpoint, handshakeAgeMs, silentMs, ...peer }) => ({
      ...peer,
      endpoint: endpoint === undefined ? null : formatListenAddress(endpoint),
      handshakeAgeMs: roundMs(handshakeAgeMs),
      silentMs: roundMs(silentMs),
    })),
  }
}

const roundMs = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms))
