import type { MemberKey, OperationId, Place } from '../../core/index.ts'
import type { Located, PassedOver, Readiness } from '../steering/index.ts'
import type { Rcode } from '../wire/index.ts'

/** Why a question is answered as it is; plain data. Names have no final dot, but for the root's. */
export interface Explanation {
  readonly question: { readonly name: string; readonly type: string }
  /** Who asks, and the network that it asks for (RFC 7871), where it names one. */
  readonly asker: { readonly address: string; readonly subnet: string | null }
  /** The way to the answer, in the order in which it was gone. */
  readonly steps: readonly ExplainedStep[]
  readonly rcode: Rcode
  readonly authoritative: boolean
  readonly answers: readonly ExplainedRecord[]
  readonly authorities: readonly ExplainedRecord[]
  readonly additionals: readonly ExplainedRecord[]
  /** For how many bits of the network the answer holds; null where none was named. */
  readonly scopePrefix: number | null
}

/** One record as it is answered. */
export interface ExplainedRecord {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly value: string
}

export type ExplainedStep =
  | { readonly step: 'refused'; readonly why: 'zone-transfer' | 'meta-type' }
  /** `nearest`: a zone of ours with the most labels in common, where one has any. */
  | { readonly step: 'no-zone'; readonly nearest: string | null }
  | LookUpStep
  | Ipv6IdleStep
  | ChoiceStep
  | ResolvedStep

/** What a zone has for a name. */
export type LookUpStep = {
  readonly step: 'look-up'
  readonly name: string
  readonly type: string
  readonly zone: string
  readonly serial: number
} & (
  | {
      readonly found: 'set'
      /** `fixed`: records for everybody; `nodes`: addresses of nodes; `alias`: what `target` has. */
      readonly kind: 'fixed' | 'nodes' | 'alias'
      readonly wildcard: string | null
      readonly target: string | null
      readonly written: Written | null
    }
  | {
      readonly found: 'cname'
      readonly wildcard: string | null
      readonly target: string
      readonly written: Written | null
    }
  /** `types`: those that are there; none where the name exists for the names below it only. */
  | {
      readonly found: 'nodata'
      readonly wildcard: string | null
      readonly types: readonly string[]
      /** Types that were written to hold addresses of the nodes, of whom none has one; absent where there is none. */
      readonly nodeless?: readonly string[]
    }
  /** `encloser`: the nearest name above that exists. */
  | { readonly found: 'nxdomain'; readonly encloser: string }
  | {
      readonly found: 'delegation'
      readonly cut: string
      readonly servers: readonly string[]
      readonly written: Written | null
    }
)

/** The record of the state that a set comes from. What has none is made by us. */
export interface Written {
  readonly operation: OperationId
  readonly author: MemberKey
  /** ISO 8601, by the author's clock. */
  readonly at: string
  /** The project whose sync wrote it. */
  readonly via: string | null
}

/** The name has the nodes' IPv6 addresses, and they are left out while none of them answers and IPv4 does. */
interface Ipv6IdleStep {
  readonly step: 'ipv6-idle'
  readonly name: string
}

/** How the nodes in an answer were chosen. */
export interface ChoiceStep {
  readonly step: 'choice'
  readonly name: string
  readonly type: string
  readonly located: {
    readonly by: Located['by']
    readonly source: Located['source']
    readonly place: Place | null
    readonly country: string | null
    readonly scopePrefix: number
  }
  /** Those in the answer first, then the others as they would have come. */
  readonly candidates: readonly ExplainedCandidate[]
}

export interface ExplainedCandidate {
  readonly node: string
  readonly address: string
  /** Null where the place of one of the two is not known. */
  readonly distanceKm: number | null
  readonly readiness: Readiness
  readonly why: 'chosen' | PassedOver['why']
}

/** What the target of an ALIAS outside our zones was resolved to; null where it never was. */
export interface ResolvedStep {
  readonly step: 'resolved'
  readonly target: string
  readonly found: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[]; readonly ttl: number } | null
}
