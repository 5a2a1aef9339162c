import type { NodeName, Place } from '../../core/index.ts'
import type { Asker, ClientSubnet } from '../message/index.ts'
import { ipOctets } from '../wire/index.ts'
import { countryCenters } from './country-centers.ts'
import type { GeoDatabase } from './geo-database.ts'
import type { Located, Locator } from './locator.ts'
import { unmapNetwork } from './network.ts'
import { type Network, PrefixTable } from './prefix-table.ts'
import { spreadOf } from './spread.ts'

/** Where an owner says that a network is. */
export type PlaceTarget =
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'country'; readonly country: string }
  /** Where that node is; as long as there is none, or nobody knows where, the rule does not count. */
  | { readonly kind: 'node'; readonly node: NodeName }

/** One rule of `geo_override`. */
export interface PlaceRule {
  readonly network: Network
  readonly target: PlaceTarget
}

/** What a locator looks at. */
export interface LocatorSources {
  readonly database: GeoDatabase | undefined
  readonly rules: readonly PlaceRule[]
  /** Of the nodes whose place is known. */
  readonly nodePlaces: ReadonlyMap<NodeName, Place>
}

/**
 * Networks are told apart at least so far, though a database may hold larger ones: of a country's millions of clients not
 * all shall draw the same of two nodes that are equally near.
 */
const COARSEST_BITS = { ipv4: 16, ipv6: 32 } as const
/** And no further, where nothing is known of them: what resolvers send at most (RFC 7871 section 11.1). */
const UNKNOWN_BITS = { ipv4: 24, ipv6: 56 } as const

type Found = Pick<Located, 'place' | 'country' | 'source'> & { readonly bits: number }

/**
 * Looks at the client's subnet first (RFC 7871), at the resolver's address where there is none, or none whose place is
 * known: private ones, say. Rules come before the database.
 *
 * The scope covers no address whose own answer would be another: it ends where the entry of the database ends and where
 * a more specific rule begins. It may be longer than the prefix that was asked for, which says that more bits would have
 * told more (section 7.2.1).
 */
export class GeoLocator implements Locator {
  readonly #database: GeoDatabase | undefined
  readonly #rules: PrefixTable<{ readonly place: Place; readonly country?: string }>

  constructor({ database, rules, nodePlaces }: LocatorSources) {
    this.#database = database
    this.#rules = new PrefixTable(
      rules.flatMap(({ network, target }) => {
        const place = placeOf(target, nodePlaces)
        const country = target.kind === 'country' ? { country: target.country } : {}
        return place === undefined ? [] : [[network, { place, ...country }] as const]
      }),
    )
  }

  locate(asker: Asker, subnet: ClientSubnet | undefined): Located {
    const asked =
      subnet === undefined || subnet.sourcePrefix === 0
        ? undefined
        : unmapNetwork({ octets: subnet.address, bits: subnet.sourcePrefix })
    const answer = this.#locate(asker, asked)
    // The scope is told in the family of the option.
    const hidden = asked === undefined || subnet === undefined ? 0 : subnet.sourcePrefix - asked.bits
    return hidden === 0 ? answer : { ...answer, scopePrefix: answer.scopePrefix + hidden }
  }

  #locate(asker: Asker, asked: Network | undefined): Located {
    const client = asked && this.#find(asked)
    if (asked !== undefined && client?.place !== undefined) return located(client, asked, client.bits, 'subnet')
    const octets = ipOctets(asker.address) ?? new Uint8Array(4)
    const resolver = unmapNetwork({ octets, bits: octets.length * 8 })
    const found = this.#find(resolver)
    if (asked === undefined || client === undefined) {
      return { ...located(found, resolver, UNKNOWN_BITS[familyOf(resolver)], 'resolver'), scopePrefix: 0 }
    }
    return located(found, asked, client.bits, found.place === undefined ? 'subnet' : 'resolver')
  }

  #find({ octets, bits }: Network): Found {
    const rule = this.#rules.find(octets, bits)
    if (rule.value !== undefined) return { ...rule.value, source: 'override', bits: rule.bits }
    const entry = this.#database?.find(octets)
    const country = entry?.country === undefined ? {} : { country: entry.country }
    return {
      place: entry?.place,
      ...country,
      source: entry?.place === undefined ? 'unknown' : 'database',
      bits: Math.max(rule.bits, entry?.bits ?? 0),
    }
  }
}

/** `network` is whose answer it is, and all of it that shares `bits` bits gets the same. */
function located({ place, country, source }: Found, network: Network, bits: number, by: Located['by']): Located {
  const family = familyOf(network)
  const least = place === undefined ? UNKNOWN_BITS[family] : COARSEST_BITS[family]
  const scope = Math.min(network.octets.length * 8, Math.max(bits, least))
  return {
    place,
    spread: spreadOf(network.octets, scope),
    scopePrefix: scope,
    by,
    source,
    ...(country === undefined ? {} : { country }),
  }
}

const familyOf = ({ octets }: Network): 'ipv4' | 'ipv6' => (octets.length === 4 ? 'ipv4' : 'ipv6')

function placeOf(target: PlaceTarget, nodePlaces: ReadonlyMap<NodeName, Place>): Place | undefined {
  switch (target.kind) {
    case 'place':
      return target.place
    case 'country':
      return countryCenters.get(target.country)
    case 'node':
      return nodePlaces.get(target.node)
    default:
      return target satisfies never
  }
}
