import type { MeshStatus } from '../../replication/index.ts'
import type { Sample } from './metrics-text.ts'

/** What is counted of the mesh. */
export interface MeshCounts {
  readonly status: MeshStatus
  /** Connections that nobody of the cluster made. */
  readonly refused: number
}

type Metric = (name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]) => void

/** The metrics of the mesh; none where there is no mesh. */
export function writeMeshMetrics(metric: Metric, counts: MeshCounts | undefined): void {
  if (counts === undefined) return
  const { kind, mtu, peers } = counts.status
  const nodes = peers.filter((peer) => peer.kind === 'node')
  const silent = nodes.filter(({ silentMs }) => silentMs !== undefined).length
  const sum = (of: 'receivedBytes' | 'sentBytes') => peers.reduce((total, peer) => total + peer[of], 0)
  metric('mesh_up', 'gauge', 'Whether there is a tunnel, by where WireGuard runs.', [
    [{ kind: 'kernel' }, kind === 'kernel' ? 1 : 0],
    [{ kind: 'userspace' }, kind === 'userspace' ? 1 : 0],
  ])
  metric('mesh_nodes', 'gauge', 'Other nodes of the mesh, by whether they answer.', [
    [{ state: 'seen' }, nodes.length - silent],
    [{ state: 'silent' }, silent],
  ])
  metric('mesh_external_peers', 'gauge', 'External peers.', [[{}, peers.length - nodes.length]])
  metric('mesh_mtu_bytes', 'gauge', 'MTU of the interface; 0 without one.', [[{}, mtu ?? 0]])
  metric('mesh_bytes', 'gauge', 'Bytes of the present tunnel and its present peers, by direction.', [
    [{ direction: 'received' }, sum('receivedBytes')],
    [{ direction: 'sent' }, sum('sentBytes')],
  ])
  metric('mesh_refused_total', 'counter', 'Connections to gossip and blobs from addresses that no member has.', [
    [{}, counts.refused],
  ])
}
