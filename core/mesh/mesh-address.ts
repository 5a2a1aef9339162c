import { createHash } from 'node:crypto'
import type { ClusterId } from '../ids.ts'
import { type WireGuardKey, wireGuardKeyBytes } from './wireguard-key.ts'

/**
 * Addresses of the mesh: a /48 of unique local addresses (RFC 4193) from the cluster's id, in it one /64 for nodes and one
 * for external peers, and an interface identifier from the WireGuard key. Nobody has to agree with anybody on them.
 */

/** What a node's address is for: nodes reach each other; external peers are reached, and reach nothing. */
export type MeshNet = 'nodes' | 'peers'

const SUBNETS: Readonly<Record<MeshNet, number>> = { nodes: 0, peers: 1 }

/** The network that holds all addresses of a cluster, in RFC 5952 notation: `fd12:3456:789a::/48`. */
export function meshPrefix(cluster: ClusterId): string {
  return `${formatAddress([...prefixGroups(cluster), 0, 0, 0, 0, 0])}/48`
}

/** The /64 of nodes or of external peers, in RFC 5952 notation. */
export function meshNetwork(cluster: ClusterId, net: MeshNet): string {
  return `${formatAddress([...prefixGroups(cluster), SUBNETS[net], 0, 0, 0, 0])}/64`
}

/**
 * The address that a WireGuard key has in a cluster, in RFC 5952 notation. 64 bits of a hash: two of a thousand keys share
 * one with a chance of 3 in 10^14.
 */
export function meshAddress(cluster: ClusterId, key: WireGuardKey, net: MeshNet = 'nodes'): string {
  const id = groupsOf(hashOf('makiatto mesh interface', wireGuardKeyBytes(key)).subarray(0, 8))
  return formatAddress([...prefixGroups(cluster), SUBNETS[net], ...id])
}

function prefixGroups(cluster: ClusterId): number[] {
  const hash = hashOf('makiatto mesh prefix', Buffer.from(cluster))
  return groupsOf(Buffer.concat([Buffer.of(0xfd), hash.subarray(0, 5)]))
}

const hashOf = (purpose: string, bytes: Uint8Array): Buffer =>
  createHash('sha256').update(`${purpose}\0`).update(bytes).digest()

const groupsOf = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16BE(i * 2))

/** RFC 5952: lower case, no leading zeros, the first longest run of two zero groups or more as `::`. */
function formatAddress(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(':')
  const runs = [...text.matchAll(/(?<![0-9a-f])0(:0)+(?![0-9a-f])/g)]
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best === undefined || run[0].length > best[0].length ? run : best),
    undefined,
  )
  if (longest === undefined) return text
  const before = text.slice(0, longest.index).replace(/:$/, '')
  return `${before}::${text.slice(longest.index + longest[0].length).replace(/^:/, '')}`
}
