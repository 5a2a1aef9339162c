import { type Hostname, listNodes, type State } from '../../core/index.ts'
import { buildZone, formatRdata, TYPE_CODES, type Zone } from '../../dns/index.ts'

/** A name server that our zone names: what is to be entered at the registrar. */
export interface OwnServer {
  /** Without the final dot. */
  readonly name: string
  /** Glue; empty for a name outside of the zone, whose addresses stand elsewhere. Sorted. */
  readonly addresses: readonly string[]
}

/** What has to be known of a domain to check its delegation. */
export interface OwnZone {
  readonly zone: Zone
  /** By name. */
  readonly servers: readonly OwnServer[]
}

/** The zone of a domain with its name servers; undefined where there is none. Pure. */
export function readOwnZone(state: State, apex: Hostname): OwnZone | undefined {
  const zone = buildZone(state, apex, listNodes(state))?.zone
  if (zone === undefined) return undefined
  const set = zone.findSet(apex, TYPE_CODES.NS)
  const names = set?.kind === 'fixed' ? set.rrset.rdata.map((rdata) => formatRdata(rdata).replace(/\.$/, '')) : []
  const servers = names.map((name) => ({
    name: name.toLowerCase(),
    addresses: listAddresses(zone, name.toLowerCase()),
  }))
  return { zone, servers: servers.sort((a, b) => (a.name < b.name ? -1 : 1)) }
}

function listAddresses(zone: Zone, name: string): readonly string[] {
  if (!isWithin(name, zone.apex)) return []
  return [TYPE_CODES.A, TYPE_CODES.AAAA].flatMap((type) => {
    const set = zone.findSet(name, type)
    return set?.kind === 'fixed' ? set.rrset.rdata.map(formatRdata).sort() : []
  })
}

/** True for a zone's apex, and every name below it. */
export const isWithin = (name: string, apex: string): boolean => name === apex || name.endsWith(`.${apex}`)
