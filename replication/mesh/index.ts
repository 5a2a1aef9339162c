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
export { wireGuardPublicKey } from './wireguard-public-key.ts'
