import type { AliasAddresses, AliasTable } from '../alias/index.ts'
import type { Provenance } from '../message/index.ts'
import { type Rrset, renameRrset } from '../rdata/index.ts'
import type { Choice, Steering } from '../steering/index.ts'
import { type NameKey, type Rcode, TYPE_CODES } from '../wire/index.ts'
import {
  type AliasSet,
  type FixedSet,
  type Lookup,
  lookUp,
  type NodeSet,
  type Zone,
  type ZoneSet,
  type ZoneTable,
} from '../zone/index.ts'
import { buildChosen, buildResolved, type Client, limitTtl } from './choosing.ts'

/** How many CNAMEs are followed; a loop ends here at the latest, and MAX_RRSET_OCTETS leaves room for as many. */
const MAX_CHAIN = 8

/** One step on the way to an answer, for who wants to know why it is as it is. */
export type Step =
  | {
      readonly kind: 'look-up'
      readonly zone: Zone
      readonly name: NameKey
      readonly type: number
      readonly found: Lookup
    }
  /** The nodes' IPv6 addresses are left out while none of them answers. */
  | { readonly kind: 'ipv6-idle'; readonly name: NameKey }
  | { readonly kind: 'choice'; readonly name: NameKey; readonly type: number; readonly choice: Choice }
  /** What an ALIAS's target resolved to; undefined when it never did. */
  | {
      readonly kind: 'resolved'
      readonly target: NameKey
      readonly found: AliasAddresses | undefined
    }

/** What names are resolved with. */
export interface Resolving {
  readonly table: ZoneTable
  readonly steering: Steering
  readonly aliases: AliasTable
  readonly client: Client
  /** Told of every step of the answer, not of additional records. */
  readonly trace?: ((step: Step) => void) | undefined
}

/** What the answer and the authority section are to say. */
export interface Resolution {
  readonly rcode: Rcode
  /** False for a referral that no name of ours led to. */
  readonly authoritative: boolean
  readonly answers: readonly Rrset[]
  readonly authorities: readonly Rrset[]
  readonly provenance: ReadonlyMap<Rrset, Provenance>
  /** The cut that the way ended at, and the zone that it is in. */
  readonly referral: { readonly zone: Zone; readonly cut: FixedSet } | undefined
}

/** What a set comes to for who asks. */
type Made =
  | { readonly kind: 'records'; readonly rrset: Rrset }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed' }

const NOTHING: Made = { kind: 'nothing' }
const FAILED: Made = { kind: 'failed' }

/** A DS belongs to the side above the cut (RFC 4035 section 3.1.4.1). */
export function findZone(table: ZoneTable, name: NameKey, type: number): Zone | undefined {
  const zone = table.find(name)
  if (zone === undefined || type !== TYPE_CODES.DS || name !== zone.apex) return zone
  return table.findParent(zone) ?? zone
}

/** RFC 1034 section 4.3.2 over all zones of ours, from the zone `start` that the name lies in. */
export function resolve(resolving: Resolving, start: Zone, asked: NameKey, type: number): Resolution {
  const { table, trace } = resolving
  const answers: Rrset[] = []
  const provenance = new Map<Rrset, Provenance>()
  const end = (parts: Partial<Resolution> = {}): Resolution => ({
    rcode: 'NOERROR',
    authoritative: true,
    answers,
    authorities: NONE,
    provenance,
    referral: undefined,
    ...parts,
  })
  const negative = (at: Zone, rcode: Rcode): Resolution => {
    provenance.set(at.negativeSoa, { apex: at.apex, owner: at.apex })
    return end({ rcode, authorities: [at.negativeSoa] })
  }
  let zone = start
  let name = asked
  for (;;) {
    const found = lookUpIn(table, zone, name, type)
    trace?.({ kind: 'look-up', zone, name, type, found })
    switch (found.kind) {
      case 'set': {
        const made = makeSet(resolving, found.set, name)
        if (made.kind === 'failed') {
          return end({ rcode: 'SERVFAIL', authoritative: false, answers: NONE, provenance: new Map() })
        }
        if (made.kind === 'nothing') return negative(zone, 'NOERROR')
        answers.push(made.rrset)
        provenance.set(made.rrset, { apex: zone.apex, owner: found.set.name })
        return end()
      }
      case 'nodata':
        return negative(zone, 'NOERROR')
      case 'nxdomain':
        return negative(zone, 'NXDOMAIN')
      case 'delegation': {
        const { cut } = found
        provenance.set(cut.rrset, { apex: zone.apex, owner: cut.name })
        return end({ authoritative: answers.length > 0, authorities: [cut.rrset], referral: { zone, cut } })
      }
      case 'cname': {
        const rrset = renameRrset(found.set.rrset, name)
        answers.push(rrset)
        provenance.set(rrset, { apex: zone.apex, owner: found.set.name })
        const next = targetOf(found.set)
        const target = next === undefined ? undefined : findZone(table, next, type)
        const isLoop = answers.length >= MAX_CHAIN || answers.some((one) => one.name === next)
        if (next === undefined || target === undefined || isLoop) return end()
        name = next
        zone = target
        break
      }
      default:
        return found satisfies never
    }
  }
}

/** A set that our zones have for a name, without following CNAMEs; for additional records. */
export function findOwn(resolving: Resolving, name: NameKey, type: number): Rrset | undefined {
  const zone = resolving.table.find(name)
  if (zone === undefined) return undefined
  const found = lookUpIn(resolving.table, zone, name, type)
  if (found.kind !== 'set') return undefined
  const made = makeSet({ ...resolving, trace: undefined }, found.set, name)
  return made.kind === 'records' ? made.rrset : undefined
}

/** The records of a set at a name; not looked at whether the name is above a cut. */
export function makeSet(resolving: Resolving, set: ZoneSet, name: NameKey): Made {
  switch (set.kind) {
    case 'fixed':
      return { kind: 'records', rrset: renameRrset(set.rrset, name) }
    case 'nodes': {
      if (set.family === 'ipv6' && resolving.steering.isIpv6Idle && hasIpv4(resolving.table, set)) {
        resolving.trace?.({ kind: 'ipv6-idle', name })
        return NOTHING
      }
      const choice = resolving.steering.choose(set.family, resolving.client.locate())
      resolving.trace?.({ kind: 'choice', name, type: set.type, choice })
      const rrset = buildChosen(set, name, resolving.steering, choice)
      return rrset === undefined ? NOTHING : { kind: 'records', rrset }
    }
    case 'alias':
      return followAlias(resolving, set, name)
    default:
      return set satisfies never
  }
}

const hasIpv4 = (table: ZoneTable, { name }: NodeSet): boolean =>
  table.find(name)?.findSet(name, TYPE_CODES.A)?.kind === 'nodes'

/**
 * What an ALIAS comes to: what our zones have at its target, where that lies in them, else what it was resolved to. A
 * target that never was resolved is a failure of ours, and so is a chain that does not end: an empty answer would say
 * that there are no addresses.
 */
function followAlias(resolving: Resolving, alias: AliasSet, name: NameKey): Made {
  const { table, trace } = resolving
  const { type } = alias
  let { ttl, target } = alias
  let last = target
  for (let steps = 0; steps < MAX_CHAIN; steps++) {
    const zone = table.find(target)
    const found = zone && lookUpIn(table, zone, target, type)
    if (zone !== undefined && found !== undefined) trace?.({ kind: 'look-up', zone, name: target, type, found })
    switch (found?.kind) {
      case 'nodata':
      case 'nxdomain':
        return NOTHING
      case 'cname': {
        ttl = Math.min(ttl, found.set.ttl)
        target = targetOf(found.set) ?? ''
        break
      }
      case 'set': {
        ttl = Math.min(ttl, found.set.ttl)
        if (found.set.kind === 'alias') {
          target = found.set.target
          last = target
          break
        }
        const made = makeSet(resolving, found.set, target)
        return made.kind === 'records' ? { kind: 'records', rrset: renameRrset(limitTtl(made.rrset, ttl), name) } : made
      }
      case 'delegation':
      case undefined: {
        // Who resolves may have gone through our CNAMEs to the end.
        const resolved = resolving.aliases.get(target) ?? resolving.aliases.get(last)
        trace?.({ kind: 'resolved', target, found: resolved })
        if (resolved === undefined) return FAILED
        const rrset = buildResolved(type, ttl, name, resolved)
        return rrset === undefined ? NOTHING : { kind: 'records', rrset }
      }
      default:
        return found satisfies never
    }
  }
  return FAILED
}

const NONE: readonly never[] = []

const lookUpIn = (table: ZoneTable, zone: Zone, name: NameKey, type: number): Lookup =>
  lookUp(zone, name, type, (other) => table.isAtOrAboveApex(other))

function targetOf({ rrset }: FixedSet): NameKey | undefined {
  const data = rrset.rdata[0]
  return data?.type === 'CNAME' ? data.target : undefined
}
