import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname } from '../names.ts'
import type { CertificateName } from '../operation/index.ts'
import type { State } from '../state/index.ts'

/** How a host is shown to be ours: RFC 8555 sections 8.3 and 8.4. */
export type ChallengeWay = 'http-01' | 'dns-01'

/** Who may certify a host, by the CAA records that a resolver finds (RFC 8659). */
export interface CaaFacts {
  /** Values of `issue` without parameters, lower case; empty strings for `;`. Empty where there is no such property. */
  readonly issue: readonly string[]
  readonly issueWild: readonly string[]
  /** A critical property that nobody here knows: no authority may issue. */
  readonly critical: boolean
  /** The name whose records count. */
  readonly at: Hostname
}

/** What a node found out about a host by asking the parent's servers and resolvers; never by asking our own tables. */
export interface HostFacts {
  /**
   * `delegated`: the world asks our nodes for its zone. `ours`: somebody else answers for it, with addresses that are all nodes'.
   * `unknown`: nobody answered.
   */
  readonly pointing: 'delegated' | 'ours' | 'elsewhere' | 'unknown'
  /** Where it leads, for a sentence: `its name servers are ns1.example.net`. */
  readonly found: string
  /** Undefined where nobody answered: an authority would refuse then. */
  readonly caa: CaaFacts | 'none' | undefined
  readonly foundMs: number
}

/** A certificate that the cluster should have. */
export interface WantedCertificate {
  /** Known by: the apex, or the host that it is for. */
  readonly name: CertificateName
  /** Sorted. */
  readonly names: readonly CertificateName[]
  /** How each host, without `*.`, is shown to be ours. */
  readonly ways: ReadonlyMap<Hostname, ChallengeWay>
  readonly domain: Hostname
}

/** A host of a domain that no certificate is got for, and why. */
export interface UncoveredName {
  readonly name: CertificateName
  readonly code: 'elsewhere' | 'unknown' | 'caa' | 'not-looked' | 'not-public' | 'refused'
  /** A sentence that says what to do. */
  readonly reason: string
}

/** A certificate that this node opened: what its chain says, not what its operation says. */
export interface HeldCertificate {
  readonly name: CertificateName
  readonly names: readonly CertificateName[]
  /** SHA-256 of the end entity's DER, lower-case base32: what `certificate.revoke` calls it. */
  readonly id: OperationId
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** The authority's directory; absent for one that was imported, which is renewed by its owner. */
  readonly directory?: string
  /** Somebody who was removed may know its key. */
  readonly exposed: boolean
}

/** What a node sees when it asks itself which certificates are its to get. */
export interface CertificateView {
  readonly state: State
  readonly self: MemberKey
  /** Nodes that were heard lately, this one among them. */
  readonly up: ReadonlySet<MemberKey>
  readonly nowMs: number
  /** Directories of authorities: the one that is wanted, then those that help out. */
  readonly directories: readonly string[]
  facts(host: Hostname): HostFacts | undefined
  /** Every certificate of the state that this node can open and that is well formed. */
  readonly held: ReadonlyMap<CertificateName, HeldCertificate>
  /** What authorities said lately of when to renew (RFC 9773), by certificate id. */
  readonly renewals: ReadonlyMap<OperationId, { readonly startMs: number; readonly endMs: number }>
  /** Directories whose account's key may be known to somebody who was removed. */
  readonly exposedAccounts: ReadonlySet<string>
  /**
   * Names of the certificates that this very process is ordering now. An order that the state says is open and its author is not
   * at any more was cut off by a crash. Where it is absent, an own order that is open counts as under way until its time is over.
   */
  readonly running?: ReadonlySet<CertificateName>
}

/**
 * Something that has to be done. `rank` 0 does it at once; the others only when it stays undone, under the same `id`, for `rank` times
 * `RANK_PATIENCE_MS`.
 */
export type CertificateDuty =
  | {
      readonly kind: 'order'
      readonly id: string
      readonly rank: number
      readonly wanted: WantedCertificate
      readonly directory: string
      readonly because: RenewalReason
    }
  /** A challenge that is over, or whose author is gone. */
  | {
      readonly kind: 'end-challenge'
      readonly id: string
      readonly rank: number
      readonly host: Hostname
      readonly author: MemberKey
    }
  /** An account whose key may be known elsewhere: begin another, end this one. */
  | { readonly kind: 'roll-account'; readonly id: string; readonly rank: number; readonly directory: string }
  /**
   * A certificate that nothing asks for any more: `certificate.remove`, while it is still `certificate`. With `revoke`, others may
   * know its key: the same operation says that it is due.
   */
  | {
      readonly kind: 'drop'
      readonly id: string
      readonly rank: number
      readonly name: CertificateName
      readonly certificate: OperationId
      readonly revoke: boolean
    }
  | { readonly kind: 'revoke'; readonly id: string; readonly rank: number; readonly certificate: OperationId }

/** Why a certificate is ordered. */
export type RenewalReason = 'missing' | 'names' | 'due' | 'authority' | 'exposed' | 'revoked' | 'directory'

/** A wanted certificate that nobody orders now, and why. */
export interface WaitingCertificate {
  readonly name: CertificateName
  readonly code: 'back-off' | 'budget' | 'rate-limited' | 'ordering' | 'nobody-up'
  readonly reason: string
  /** When it is tried again, milliseconds; undefined where something else has to happen first. */
  readonly nextMs?: number
}

/** What a node makes of the state: pure, and the same everywhere but for who is up and what was found out. */
export interface CertificatePlan {
  readonly wanted: readonly WantedCertificate[]
  readonly uncovered: readonly UncoveredName[]
  readonly duties: readonly CertificateDuty[]
  readonly waiting: readonly WaitingCertificate[]
  /** When to look again though nothing changes, milliseconds. */
  readonly nextMs: number | undefined
}
