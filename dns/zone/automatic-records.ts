import {
  type AddressFamily,
  type Hostname,
  isWithin,
  listAccounts,
  type NodeView,
  type State,
} from '../../core/index.ts'
import { type AddressData, findAddress, type Rdata, type Soa } from '../rdata/index.ts'
import { type KnownType, MAX_NAME_OCTETS, type NameKey, nameOctets, type RecordType } from '../wire/index.ts'

/** TTL of the records that we make, seconds: how long a resolver may send visitors to a node that is gone. */
export const TTL = 300

/** Seconds. `minimum` is how long a resolver may remember that something does not exist, if the SOA's TTL allows it. */
const SOA_TIMES = { refresh: 86_400, retry: 10_800, expire: 3_600_000, minimum: 3_600 } as const

/** RFC 2308 section 3: the lesser of the SOA's minimum and its TTL. */
export const NEGATIVE_TTL = Math.min(TTL, SOA_TIMES.minimum)

/** What all zones have in common: the nodes that serve them, and who may issue certificates for them. */
export interface ZoneSetting {
  /** As `listNodes` gives them. */
  readonly nodes: readonly NodeView[]
  /** Issuer names of the certificate authorities that may issue (RFC 8659 section 4.2). */
  readonly authorities: readonly string[]
}

/** Where nobody says which authority issues. */
export const DEFAULT_AUTHORITIES: readonly string[] = ['letsencrypt.org']

/**
 * Who may issue: the authorities that the cluster has accounts at, so that the zones of all nodes are equal; sorted. None where it is
 * not known what one of them calls itself: to name the others alone would forbid it. `fallback` while there is no account.
 */
export function findAuthorities(state: State, fallback: readonly string[]): readonly string[] {
  const accounts = listAccounts(state)
  if (accounts.length === 0) return fallback
  const known = accounts.map(({ value }) => value.authorities ?? [])
  return known.some((names) => names.length === 0) ? [] : [...new Set(known.flat())].sort()
}

/** One RRset of ours before it is encoded; its TTL is `TTL`. */
export interface AutomaticRrset {
  readonly name: NameKey
  readonly type: RecordType
  readonly rdata: readonly Rdata[]
}

/**
 * The records that a zone holds without anybody writing them: NS with the servers' addresses, and CAA. The SOA and the
 * sets of the nodes' addresses come to them. At most one set a name and type, none empty.
 */
export function buildAutomatic(apex: Hostname, { nodes, authorities }: ZoneSetting): readonly AutomaticRrset[] {
  const sets = new Map<string, { name: NameKey; type: RecordType; rdata: Rdata[] }>()
  const add = (name: NameKey, data: Rdata & { readonly type: KnownType }) => {
    const key = `${name} ${data.type}`
    const set = sets.get(key)
    if (set === undefined) sets.set(key, { name, type: data.type, rdata: [data] })
    else set.rdata.push(data)
  }
  for (const node of listServers(nodes, apex)) {
    const server = serverName(node, apex)
    add(apex, { type: 'NS', server })
    for (const data of addressesOf(node)) add(server, data)
  }
  for (const value of authorities) {
    for (const tag of ['issue', 'issuewild']) add(apex, { type: 'CAA', flags: 0, tag, value })
  }
  return [...sets.values()]
}

/** The hosts inside the zone that answer with the addresses of the nodes. */
export const listNodeHosts = (apex: Hostname, aliases: readonly Hostname[]): ReadonlySet<Hostname> =>
  new Set([apex, ...aliases.filter((host) => isWithin(host, apex) && nameOctets(host) <= MAX_NAME_OCTETS)])

/** Which families any node has an address of. */
export function familiesOf(nodes: readonly NodeView[]): Readonly<Record<AddressFamily, boolean>> {
  const types = new Set(nodes.flatMap((node) => addressesOf(node).map(({ type }) => type)))
  return { ipv4: types.has('A'), ipv6: types.has('AAAA') }
}

/** True when zones look the same with either: places, drains and schemas of nodes are not in them. */
export function isSameSetting(a: ZoneSetting, b: ZoneSetting): boolean {
  return (
    a.authorities.join(' ') === b.authorities.join(' ') &&
    a.nodes.length === b.nodes.length &&
    a.nodes.every((node, i) => {
      const other = b.nodes[i]
      return (
        node.name === other?.name &&
        node.nameserver === other.nameserver &&
        node.ipv4 === other.ipv4 &&
        node.ipv6 === other.ipv6
      )
    })
  )
}

/** The first name server by name is the primary; without any it is `ns.<apex>`, which does not exist. */
export function buildSoa(apex: Hostname, nodes: readonly NodeView[], serial: number): Soa {
  const first = listServers(nodes, apex)[0]
  const mname = first === undefined ? `ns.${apex}` : serverName(first, apex)
  return { type: 'SOA', mname, rname: `admin.${apex}`, serial, ...SOA_TIMES }
}

/**
 * Drained nodes stay name servers: the parent's delegation names them. Below an apex that leaves no room for its name a
 * node is none.
 */
const listServers = (nodes: readonly NodeView[], apex: Hostname) =>
  nodes.filter(
    (node) => node.nameserver && addressesOf(node).length > 0 && nameOctets(serverName(node, apex)) <= MAX_NAME_OCTETS,
  )

const serverName = (node: NodeView, apex: Hostname): NameKey => `${node.name}.ns.${apex}`

/** A change of a node rebuilds every zone. */
const knownAddresses = new WeakMap<NodeView, readonly AddressData[]>()

function addressesOf(node: NodeView): readonly AddressData[] {
  const known = knownAddresses.get(node)
  if (known !== undefined) return known
  const addresses = [findAddress(node.ipv4, 'ipv4') ?? [], findAddress(node.ipv6, 'ipv6') ?? []].flat()
  knownAddresses.set(node, addresses)
  return addresses
}
