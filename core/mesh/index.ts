export { type MeshNet, meshAddress, meshNetwork, meshPrefix } from './mesh-address.ts'
export { formatWireGuardKey, isWireGuardKey, type WireGuardKey, wireGuardKeyBytes } from './wireguard-key.ts'
