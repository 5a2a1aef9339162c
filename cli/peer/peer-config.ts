import { isIPv6 } from 'node:net'
import {
  type ClusterId,
  listNodes,
  meshAddress,
  meshNetwork,
  type NodeName,
  type NodeView,
  type PeerView,
  type State,
  type WireGuardKey,
} from '../../core/index.ts'
import { splitEndpoint } from './read-endpoint.ts'

/** A node as an external peer has to know it. */
export interface ConfiguredNode {
  readonly name: NodeName
  readonly publicKey: WireGuardKey
  /** Its address in the mesh. */
  readonly address: string
  /** Where it is reached, best first; empty for one that nobody can reach first. */
  readonly endpoints: readonly string[]
}

/** What an external peer has to be told. */
export interface PeerConfig {
  readonly name: NodeName
  readonly publicKey: WireGuardKey
  /** Its own address in the mesh. */
  readonly address: string
  /** Of all nodes, those that are to come included; CIDR. */
  readonly network: string
  /** UDP; null where the nodes do not know any, and so none has to be kept. */
  readonly listenPort: number | null
  readonly nodes: readonly ConfiguredNode[]
  /** Nodes that take no part in the mesh. */
  readonly without: readonly NodeName[]
}

/** How it is written down: for `wg setconf`, or for `wg-quick`. */
export type ConfigFormat = 'wg' | 'wg-quick'

/** Often enough for any translation of addresses to remember the way; as WireGuard's documentation advises. */
const KEEPALIVE_SECS = 25

/** Everything that the machine of an external peer is configured with, but its private key. Pure. */
export function buildPeerConfig(state: State, cluster: ClusterId, peer: PeerView): PeerConfig {
  const nodes = listNodes(state)
  const prefersIpv6 = peer.endpoint !== null && isIPv6(splitEndpoint(peer.endpoint).host)
  return {
    name: peer.name,
    publicKey: peer.publicKey,
    address: peer.address,
    network: meshNetwork(cluster, 'nodes'),
    listenPort: peer.endpoint === null ? null : splitEndpoint(peer.endpoint).port,
    nodes: nodes.flatMap(({ mesh, ...node }): ConfiguredNode[] => {
      if (mesh === null) return []
      const { publicKey } = mesh
      const endpoints = listEndpoints({ ...node, mesh }, prefersIpv6)
      return [{ name: node.name, publicKey, address: meshAddress(cluster, publicKey), endpoints }]
    }),
    without: nodes.filter(({ mesh }) => mesh === null).map(({ name }) => name),
  }
}

function listEndpoints(
  { ipv4, ipv6, mesh }: NodeView & { readonly mesh: NonNullable<NodeView['mesh']> },
  prefersIpv6: boolean,
): string[] {
  if (mesh.endpoint === null) return []
  // One that is none would make wg refuse the whole file.
  if (mesh.endpoint !== undefined)
    return mesh.endpoint.startsWith('[') && !isIPv6(splitEndpoint(mesh.endpoint).host) ? [] : [mesh.endpoint]
  const of4 = ipv4 === null ? [] : [`${ipv4}:${mesh.port}`]
  const of6 = ipv6 === null ? [] : [`[${ipv6}]:${mesh.port}`]
  return prefersIpv6 ? [...of6, ...of4] : [...of4, ...of6]
}

/** The file, with its last newline. `changedMs`: since when it is so, milliseconds since the epoch. Pure. */
export function formatPeerConfig(config: PeerConfig, format: ConfigFormat, changedMs: number): string {
  const { name, publicKey, address, network, listenPort } = config
  const listen = listenPort === null ? [] : [`ListenPort = ${listenPort}`]
  const own =
    format === 'wg-quick'
      ? ['PrivateKey = <private-key>', `Address = ${address}/128`, ...listen]
      : [
          '# PrivateKey = <private-key>',
          '# Put your own there, without the #; or, after each wg setconf: wg set INTERFACE private-key FILE',
          ...listen,
          `# ip address add ${address}/128 dev INTERFACE`,
          `# ip route add ${network} dev INTERFACE`,
        ]
  const head = [
    `# The external peer ${name}, for ${format === 'wg-quick' ? 'wg-quick up FILE' : 'wg setconf INTERFACE FILE'}`,
    `# As of ${new Date(changedMs).toISOString()}. When maki peer list shows a later time: maki peer wg-config ${name}`,
    '[Interface]',
    `# The private key is that of ${publicKey}`,
    ...own,
  ]
  return `${[head, ...config.nodes.map(formatNode)].map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function formatNode({ name, publicKey, address, endpoints }: ConfiguredNode): string[] {
  const [first, ...others] = endpoints
  return [
    '[Peer]',
    `# ${name}`,
    `PublicKey = ${publicKey}`,
    `AllowedIPs = ${address}/128`,
    ...(first === undefined ? ['# It begins itself: nobody reaches it first.'] : [`Endpoint = ${first}`]),
    ...others.map((endpoint) => `# Endpoint = ${endpoint}`),
    `PersistentKeepalive = ${KEEPALIVE_SECS}`,
  ]
}
