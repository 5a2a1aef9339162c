import type { AliasAddresses } from '../alias/index.ts'
import type { Asker, ClientSubnet } from '../message/index.ts'
import { buildLargestRrset, parseRdata, type Rdata, type Rrset, renameRrset } from '../rdata/index.ts'
import type { Choice, Located, Locator, Steering } from '../steering/index.ts'
import { type NameKey, TYPE_CODES } from '../wire/index.ts'
import type { NodeSet } from '../zone/index.ts'

/** Who asks, looked up at most once, and not at all where the answer is the same for everybody. */
export class Client {
  readonly #locator: Locator
  readonly #asker: Asker
  readonly #subnet: ClientSubnet | undefined
  #located: Located | undefined

  constructor(locator: Locator, asker: Asker, subnet: ClientSubnet | undefined) {
    this.#locator = locator
    this.#asker = asker
    this.#subnet = subnet
  }

  /** Undefined as long as nothing depended on it. */
  get found(): Located | undefined {
    return this.#located
  }

  locate(): Located {
    this.#located ??= this.#locator.locate(this.#asker, this.#subnet)
    return this.#located
  }
}

/** Sets that were made from a table are kept as long as the table is, and no more of them than this. */
const MAX_KEPT = 4096

const chosenSets = new WeakMap<Steering, Map<string, Rrset>>()
const aliasSets = new WeakMap<AliasAddresses, Map<string, Rrset>>()

/** The records that the nodes of a choice come to; undefined when there are none. Made once for each steering. */
export function buildChosen(
  { type, ttl }: Pick<NodeSet, 'type' | 'ttl'>,
  name: NameKey,
  steering: Steering,
  { chosen }: Choice,
): Rrset | undefined {
  if (chosen.length === 0) return undefined
  let key = `${type} ${ttl}`
  for (const { address } of chosen) key += ` ${address.address}`
  return keep(chosenSets, steering, key, name, () =>
    build(
      type,
      ttl,
      chosen.map(({ address }) => address),
    ),
  )
}

/** The addresses that a target has; undefined when it has none of that type. */
export function buildResolved(type: number, ttl: number, name: NameKey, found: AliasAddresses): Rrset | undefined {
  const addresses = type === TYPE_CODES.AAAA ? found.ipv6 : found.ipv4
  if (addresses.length === 0) return undefined
  const least = Math.min(ttl, found.ttl)
  const known = type === TYPE_CODES.AAAA ? 'AAAA' : 'A'
  return keep(aliasSets, found, `${type} ${least}`, name, () =>
    build(
      type,
      least,
      addresses.map((address) => parseRdata(known, address)),
    ),
  )
}

const shorter = new WeakMap<Rrset, Map<number, Rrset>>()

/** The same records with a TTL that is no longer than this. */
export function limitTtl(rrset: Rrset, ttl: number): Rrset {
  if (rrset.ttl <= ttl) return rrset
  return keep(shorter, rrset, ttl, rrset.name, () => build(rrset.type, ttl, rrset.rdata))
}

const build = (type: number, ttl: number, rdata: readonly Rdata[]): Rrset =>
  buildLargestRrset('', type === TYPE_CODES.AAAA ? 'AAAA' : 'A', ttl, rdata)

function keep<Owner extends object, Key>(
  kept: WeakMap<Owner, Map<Key, Rrset>>,
  owner: Owner,
  key: Key,
  name: NameKey,
  make: () => Rrset,
): Rrset {
  let sets = kept.get(owner)
  if (sets === undefined) {
    sets = new Map()
    kept.set(owner, sets)
  }
  const known = sets.get(key)
  if (known !== undefined) return renameRrset(known, name)
  const made = make()
  if (sets.size >= MAX_KEPT) sets.clear()
  sets.set(key, made)
  return renameRrset(made, name)
}
