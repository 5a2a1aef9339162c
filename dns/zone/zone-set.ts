import type { AddressFamily } from '../../core/index.ts'
import type { Rrset } from '../rdata/index.ts'
import { type NameKey, TYPE_CODES } from '../wire/index.ts'

/** What a name has of one type: records, or where they come from when somebody asks. Immutable. */
export type ZoneSet = FixedSet | NodeSet | AliasSet

/** Records that are the same for everybody. */
export interface FixedSet {
  readonly kind: 'fixed'
  readonly name: NameKey
  /** The type's number. */
  readonly type: number
  readonly ttl: number
  readonly rrset: Rrset
}

/** The addresses of the nodes that are best for who asks. It exists only while a node has an address of the family. */
export interface NodeSet {
  readonly kind: 'nodes'
  readonly name: NameKey
  /** A or AAAA, as `family` is. */
  readonly type: number
  readonly ttl: number
  readonly family: AddressFamily
}

/** The addresses that another name has, wherever it lies: a CNAME that may stand beside other records. */
export interface AliasSet {
  readonly kind: 'alias'
  readonly name: NameKey
  /** A or AAAA: an ALIAS is one set of each. */
  readonly type: number
  readonly ttl: number
  readonly target: NameKey
}

const FAMILIES = [
  [TYPE_CODES.A, 'ipv4'],
  [TYPE_CODES.AAAA, 'ipv6'],
] as const satisfies readonly (readonly [number, AddressFamily])[]

/** The set of A or of AAAA that the nodes fill. */
export const buildNodeSet = (name: NameKey, type: number, ttl: number): NodeSet => ({
  kind: 'nodes',
  name,
  type,
  ttl,
  family: type === TYPE_CODES.AAAA ? 'ipv6' : 'ipv4',
})

/** Both sets of A and AAAA that the nodes fill. */
export const buildNodeSets = (name: NameKey, ttl: number): readonly NodeSet[] =>
  FAMILIES.map(([type, family]) => ({ kind: 'nodes', name, type, ttl, family }))

/** Both sets of an ALIAS. */
export const buildAliasSets = (name: NameKey, ttl: number, target: NameKey): readonly AliasSet[] =>
  FAMILIES.map(([type]) => ({ kind: 'alias', name, type, ttl, target }))

/** A set of records that were encoded. */
export const buildFixedSet = (rrset: Rrset): FixedSet => ({
  kind: 'fixed',
  name: rrset.name,
  type: rrset.type,
  ttl: rrset.ttl,
  rrset,
})
