import { isIP } from 'node:net'
import {
  type ClusterId,
  isWireGuardKey,
  listNodes,
  listPeers,
  type MemberKey,
  meshAddress,
  meshNetwork,
  meshPrefix,
  type NodeView,
  type State,
  type WireGuardKey,
} from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import { canonicalAddress, findEndpoint, holdsAddress, isEndpointAddress } from './mesh-endpoint.ts'

/** This node, as its own files and configuration have it. */
export interface MeshSelf {
  readonly key: MemberKey
  readonly publicKey: WireGuardKey
  /** UDP port that it listens on. */
  readonly port: number
  /** Peers of the configuration, until this node has joined: from then on the state says who the others are, and who is removed. */
  readonly bootstrap?: readonly MeshBootstrap[]
}

/** A peer of the configuration. */
export interface MeshBootstrap {
  readonly publicKey: string
  /** `host:port`. */
  readonly endpoint: string
  readonly address: string
}

/** Whom this node has a tunnel with. */
export interface MeshPlanPeer {
  /** Undefined for an external peer, and for one that only the configuration knows. */
  readonly member: MemberKey | undefined
  readonly name: string
  readonly kind: 'node' | 'peer'
  readonly publicKey: WireGuardKey
  /** Its address in the mesh, RFC 5952. */
  readonly address: string
  /** Where it may be reached, the best first; addresses and names. Empty for one that always begins itself. */
  readonly candidates: readonly NetworkAddress[]
}

/** What of the state cannot be carried out, in words that end a sentence about `name`. */
export interface MeshFault {
  readonly name: string
  readonly member: MemberKey | undefined
  readonly fault: string
}

/** What the mesh of one node is to be. */
export interface MeshPlan {
  /** Its own address, RFC 5952. */
  readonly address: string
  readonly port: number
  /** All addresses of the cluster, and those of external peers, CIDR. */
  readonly network: string
  readonly peerNetwork: string
  /** Public addresses of this node by the state. */
  readonly publicAddresses: readonly string[]
  /** Where others send to this node; empty where they wait until it begins. */
  readonly ownCandidates: readonly NetworkAddress[]
  /** Other nodes by key, then external peers by name. */
  readonly peers: readonly MeshPlanPeer[]
  readonly faults: readonly MeshFault[]
}

type Claim = Omit<MeshPlanPeer, 'candidates'> & { readonly endpoints: () => readonly NetworkAddress[] }

/**
 * The mesh of one node by the state. Of two that claim one key or one address the node with the smaller member key has it, a
 * node before an external peer, and those by name; the other is named as a fault. Pure.
 */
export function buildMeshPlan(state: State, self: MeshSelf, cluster: ClusterId): MeshPlan {
  const network = meshPrefix(cluster)
  const peerNetwork = meshNetwork(cluster, 'peers')
  const address = meshAddress(cluster, self.publicKey)
  const nodes = [...listNodes(state)].sort((a, b) => (a.key < b.key ? -1 : 1))
  const own = nodes.find(({ key }) => key === self.key)
  const faults: MeshFault[] = []
  const claims: Claim[] = []
  for (const node of nodes) {
    if (node.key === self.key) continue
    const { key: member, name, mesh } = node
    if (mesh === null) {
      faults.push({ member, name, fault: 'has not said how it takes part in the mesh' })
      continue
    }
    const { publicKey } = mesh
    const endpoints = () => listCandidates(node, network)
    const claim = {
      member,
      name,
      kind: 'node',
      publicKey,
      address: meshAddress(cluster, publicKey),
      endpoints,
    } as const
    claims.push(claim)
  }
  const known = new Set(claims.map(({ publicKey }) => publicKey))
  for (const { publicKey, endpoint, address: said } of own === undefined ? (self.bootstrap ?? []) : []) {
    const name = `the bootstrap peer ${endpoint}`
    if (!isWireGuardKey(publicKey)) {
      faults.push({ member: undefined, name, fault: 'has a public_key that is none' })
      continue
    }
    if (known.has(publicKey) || publicKey === self.publicKey) continue
    const address = meshAddress(cluster, publicKey)
    if (canonicalAddress(said) !== address) {
      faults.push({ member: undefined, name, fault: `has the address ${address} in this cluster, not ${said}` })
      continue
    }
    const endpoints = () => usable([findEndpoint(endpoint)], network)
    claims.push({ member: undefined, name, kind: 'node', publicKey, address, endpoints })
  }
  for (const { name, publicKey, endpoint, address: text } of listPeers(state)) {
    const address = canonicalAddress(text)
    if (!holdsAddress(peerNetwork, address)) {
      faults.push({ member: undefined, name, fault: `has the address ${address}, which is not in ${peerNetwork}` })
      continue
    }
    const endpoints = () => (endpoint === null ? [] : usable([findEndpoint(endpoint)], network))
    claims.push({ member: undefined, name, kind: 'peer', publicKey, address, endpoints })
  }
  const ownCandidates = own === undefined ? [] : listCandidates(own, network)
  return {
    address,
    port: self.port,
    network,
    peerNetwork,
    publicAddresses: own === undefined ? [] : [own.ipv6, own.ipv4].filter((one) => one !== null).map(canonicalAddress),
    ownCandidates,
    peers: settleClaims(claims, { publicKey: self.publicKey, address }, faults),
    faults,
  }
}

/** What is claimed twice goes to the first; this node has its own key and address whatever others say. */
function settleClaims(
  claims: readonly Claim[],
  own: { readonly publicKey: WireGuardKey; readonly address: string },
  faults: MeshFault[],
): readonly MeshPlanPeer[] {
  const owners = new Map<string, string>([
    [own.publicKey, 'this node'],
    [own.address, 'this node'],
  ])
  return claims.flatMap(({ endpoints, ...claim }) => {
    const { member, name, publicKey, address } = claim
    const taken = [publicKey, address].find((one) => owners.has(one))
    if (taken !== undefined) {
      const what = taken === publicKey ? 'key' : 'address'
      faults.push({ member, name, fault: `claims the mesh ${what} of ${owners.get(taken)}` })
      return []
    }
    owners.set(publicKey, name).set(address, name)
    return [{ ...claim, candidates: endpoints() }]
  })
}

/** Where others reach a node first: what it says instead, else its public addresses, IPv6 before IPv4. */
function listCandidates({ ipv4, ipv6, mesh }: NodeView, network: string): readonly NetworkAddress[] {
  if (mesh === null || mesh.endpoint === null) return []
  if (mesh.endpoint !== undefined) return usable([findEndpoint(mesh.endpoint)], network)
  const hosts = [ipv6, ipv4].filter((host) => host !== null)
  return usable(
    hosts.map((host) => ({ host: canonicalAddress(host), port: mesh.port })),
    network,
  )
}

/** Without addresses that nothing may be sent to; names are judged when they are resolved. */
const usable = (endpoints: readonly (NetworkAddress | undefined)[], network: string): readonly NetworkAddress[] =>
  endpoints.filter(
    (endpoint) => endpoint !== undefined && (isIP(endpoint.host) === 0 || isEndpointAddress(endpoint.host, network)),
  ) as NetworkAddress[]
