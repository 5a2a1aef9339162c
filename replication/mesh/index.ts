export { startMesh } from './mesh.ts'
export { isEndpointAddress } from './mesh-endpoint.ts'
export { encodeSocketAddress, listenAhead } from './mesh-listener.ts'
export { createMeshNetwork, type MeshGate } from './mesh-network.ts'
export type { Mesh, MeshEvents, MeshOptions } from './mesh-options.ts'
export {
  buildMeshPlan,
  type MeshBootstrap,
  type MeshFault,
  type MeshPlan,
  type MeshPlanPeer,
  type MeshSelf,
} from './mesh-plan.ts'
export type { MeshPeerStatus, MeshStatus } from './mesh-status.ts'
export { openNetworkControl } from './netlink/index.ts'
export { openTunnel, type TunnelOptions } from './open-tunnel.ts'
export type {
  Link,
  MeshFilter,
  NetworkControl,
  Tunnel,
  TunnelChange,
  TunnelPeer,
  TunnelPeerChange,
  TunnelStatus,
} from './ports.ts'
export { isSilent } from './silence-log.ts'
export { wireGuardPublicKey } from './wireguard-public-key.ts'
