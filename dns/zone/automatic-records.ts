import { isIPv4, isIPv6 } from 'node:net'
import { type DomainView, type Hostname, isWithin, type NodeView } from '../../core/index.ts'
import { parseRdata, type Rdata, type Soa } from '../rdata/index.ts'
import type { RecordType } from '../wire/index.ts'
import { MAX_NAME_OCTETS, type NameKey, nameOctets } from '../wire/index.ts'

/** TTL of the records that we make, seconds: how long a resolver may send visitors to a node that is gone. */
export const TTL = 300

/** Seconds. `minimum` is how long a resolver may remember that something does not exist, if the SOA's TTL allows it. */
const SOA_TIMES = { refresh: 86_400, retry: 10_800, expire: 3_600_000, minimum: 3_600 } as const

/** RFC 2308 section 3: the lesser of the SOA's minimum and its TTL. */
export const NEGATIVE_TTL = Math.min(TTL, SOA_TIMES.minimum)

const CERTIFICATE_AUTHORITY = 'letsencrypt.org'

/** One RRset of ours before it is encoded; its TTL is `TTL`. */
export interface AutomaticRrset {
  readonly name: NameKey
  readonly type: RecordType
  readonly rdata: readonly Rdata[]
}

/**
 * What a zone holds without anybody writing it: SOA, NS with the servers' addresses, CAA, and the addresses of the
 * nodes at the apex and at every alias inside the zone. At most one set a name and type, none empty.
 */
export function buildAutomatic(
  domain: Pick<DomainView, 'apex' | 'aliases'>,
  nodes: readonly NodeView[],
  serial: number,
): readonly AutomaticRrset[] {
  const { apex } = domain
  const sets = new Map<string, { name: NameKey; type: RecordType; rdata: Rdata[] }>()
  const add = (name: NameKey, data: Rdata) => {
    const key = `${name} ${data.type}`
    const set = sets.get(key)
    if (set === undefined) sets.set(key, { name, type: data.type, rdata: [data] })
    else set.rdata.push(data)
  }
  add(apex, buildSoa(apex, nodes, serial))
  for (const node of listServers(nodes, apex)) {
    const server = serverName(node, apex)
    add(apex, { type: 'NS', server })
    for (const data of addressesOf(node)) add(server, data)
  }
  add(apex, { type: 'CAA', flags: 0, tag: 'issue', value: CERTIFICATE_AUTHORITY })
  const addresses = [...listAddresses(nodes, 'A'), ...listAddresses(nodes, 'AAAA')]
  for (const host of new Set([apex, ...domain.aliases])) {
    if (!isWithin(host, apex)) continue
    for (const data of addresses) add(host, data)
  }
  return [...sets.values()]
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

/**
 * Each distinct address of one family once, in the order of the nodes: of nodes that are not drained, and of all where
 * that leaves none. So the set is empty only when no node has such an address at all.
 */
function listAddresses(nodes: readonly NodeView[], family: 'A' | 'AAAA'): readonly Rdata[] {
  const of = (some: readonly NodeView[]) => some.flatMap(addressesOf).filter((data) => data.type === family)
  const open = of(nodes.filter((node) => !node.drained))
  const found = open.length > 0 ? open : of(nodes)
  return [...new Map(found.map((data) => ['address' in data ? data.address : '', data])).values()]
}

/** A change of a node rebuilds every zone, and each asks for the same addresses several times. */
const knownAddresses = new WeakMap<NodeView, readonly Rdata[]>()

function addressesOf(node: NodeView): readonly Rdata[] {
  const known = knownAddresses.get(node)
  if (known !== undefined) return known
  const { ipv4, ipv6 } = node
  const addresses = [
    ...(ipv4 !== null && isIPv4(ipv4) ? [parseRdata('A', ipv4)] : []),
    // Node counts an address with a zone (`fe80::1%eth0`) as one; no record can hold it.
    ...(ipv6 !== null && isIPv6(ipv6) && !ipv6.includes('%') ? [parseRdata('AAAA', ipv6)] : []),
  ]
  knownAddresses.set(node, addresses)
  return addresses
}
