import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname, NodeName } from '../names.ts'
import type { ChangeOf } from '../operation/index.ts'
import { keys, type NodeField } from './keys.ts'
import type { ClusterValue, DomainValue, Entry, MemberValue, RecordValue, ReleaseValue, State } from './state.ts'

/** Typed readings of the state. The fold writes each key from one kind of change, which is what makes the casts true. */

export interface NodeView {
  readonly key: MemberKey
  readonly name: NodeName
  readonly ipv4: string | null
  readonly ipv6: string | null
  /** Degrees; null when nobody knows. */
  readonly place: { readonly latitude: number; readonly longitude: number } | null
  readonly nameserver: boolean
  readonly drained: boolean
  /** The newest schema of changes that its program reads, as far as it has said. */
  readonly schema: number
  /** Null for one that is reached without WireGuard. */
  readonly mesh: NodeMesh | null
}

export type NodeMesh = NonNullable<ChangeOf<'node.join'>['mesh']>
/** A machine outside of the cluster that the nodes reach through the mesh. */
export type PeerView = Omit<ChangeOf<'peer.set'>, 'kind'>

export interface Release extends ReleaseValue {
  /** The operation that published it. */
  readonly id: OperationId
  readonly domain: Hostname
  /**
   * When it was published, by its author's clock: milliseconds since the epoch. Absent for what nobody published, a merge,
   * and where a node of an older version wrote it down.
   */
  readonly publishedMs?: number
}

export interface DomainView {
  readonly apex: Hostname
  readonly settings: DomainValue
  /** Aliases that this domain holds: named by it, and not taken by another. Sorted. */
  readonly aliases: readonly Hostname[]
  readonly records: readonly Entry<RecordValue>[]
  /** The winning release, whether or not a node has all of it yet. */
  readonly release: Release | undefined
  /** `sync` publishes nothing while it is set. */
  readonly held: boolean
  readonly entry: Entry<DomainValue>
}

export function findCluster(state: State): ClusterValue | undefined {
  return state.get(keys.cluster())?.value as ClusterValue | undefined
}

export function findMember(state: State, key: MemberKey): MemberValue | undefined {
  return state.get(keys.member(key))?.value as MemberValue | undefined
}

/** Nodes by name. A node whose name another one won keeps working under the name that it asked for, with its key behind it. */
export function listNodes(state: State): readonly NodeView[] {
  const nodes: NodeView[] = []
  for (const id of state.ids('node')) {
    const node = findNode(state, id as MemberKey)
    if (node !== undefined) nodes.push(node)
  }
  return nodes.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.key < b.key ? -1 : 1))
}

export function findNode(state: State, key: MemberKey): NodeView | undefined {
  const entry = state.get(keys.node(key))
  if (entry === undefined) return undefined
  const field = <T>(name: NodeField, fallback: T): T =>
    (state.get(keys.nodeField(key, name))?.value as T | undefined) ?? fallback
  const asked = (entry.value as { name: NodeName }).name
  const owner = state.get(keys.nodeName(asked))?.value as { node: MemberKey } | undefined
  const addresses = field<{ ipv4: string | null; ipv6: string | null }>('addresses', { ipv4: null, ipv6: null })
  return {
    key,
    name: owner?.node === key ? asked : (`${asked.slice(0, 50)}-${key.slice(0, 8)}` as NodeName),
    ...addresses,
    place: field<NodeView['place']>('place', null),
    nameserver: field('nameserver', false),
    drained: field('drained', false),
    schema: field('schema', 1),
    mesh: field<NodeMesh | null>('mesh', null),
  }
}

/** External peers by name. */
export function listPeers(state: State): readonly PeerView[] {
  const peers = state.ids('peer').flatMap((name) => (state.get(keys.peer(name as NodeName))?.value as PeerView) ?? [])
  return peers.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

export function listDomains(state: State): readonly DomainView[] {
  return state.ids('domain').flatMap((id) => findDomain(state, id as Hostname) ?? [])
}

/** Undefined for a domain that was never added or is removed; what was set under it lies dormant. */
export function findDomain(state: State, apex: Hostname): DomainView | undefined {
  const entry = state.get(keys.domain(apex)) as Entry<DomainValue> | undefined
  if (entry === undefined) return undefined
  const prefix = `${keys.domain(apex)}/`
  const aliases: Hostname[] = []
  const records: Entry<RecordValue>[] = []
  for (const child of state.scope(keys.domain(apex))) {
    const part = child.key.slice(prefix.length)
    if (part.startsWith('alias/')) {
      const host = part.slice('alias/'.length) as Hostname
      if (hostOwner(state, host) === apex) aliases.push(host)
    } else if (part.startsWith('rrset/')) records.push(child as Entry<RecordValue>)
  }
  return {
    apex,
    settings: entry.value,
    aliases,
    records,
    release: findRelease(state, apex),
    held: state.get(keys.hold(apex)) !== undefined,
    entry,
  }
}

export function findRelease(state: State, domain: Hostname): Release | undefined {
  const entry = state.get(keys.release(domain))
  return entry === undefined
    ? undefined
    : { ...(entry.value as ReleaseValue), id: entry.operation, domain, publishedMs: entry.stamp.wallMs }
}

/** The domain that a host name belongs to, as settled by the fold; the domain itself may be gone. */
export function hostOwner(state: State, host: Hostname): Hostname | undefined {
  return (state.get(keys.host(host))?.value as { domain: Hostname } | undefined)?.domain
}
