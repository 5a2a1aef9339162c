import type { CertificateName, ChallengeWay, Hostname } from '../../core/index.ts'

/** What a certificate authority is to us: RFC 8555, with profiles, external account binding and renewal information (RFC 9773). */

/** An account, as it is sealed into an operation. Never to be logged. */
export interface AcmeAccount {
  readonly url: string
  /** PKCS #8 PEM. */
  readonly key: string
}

/** Credentials that an authority gave its customer elsewhere (RFC 8555 section 7.3.4). Never to be logged. */
export interface AccountBinding {
  readonly keyId: string
  /** Base64url. */
  readonly hmacKey: string
}

export interface AuthorityFacts {
  /** What it calls itself in CAA records; what strangers say, checked to be host names. */
  readonly authorities: readonly Hostname[]
  readonly profiles: readonly string[]
  readonly needsBinding: boolean
  readonly offersRenewalInfo: boolean
}

/** What an authority asks to see for one name of an order, by one of the ways that were asked for. */
export interface AskedChallenge {
  /** Without `*.`. */
  readonly host: Hostname
  readonly wildcard: boolean
  readonly type: ChallengeWay
  readonly token: string
  /** RFC 8555 section 8.1; what HTTP-01 answers. */
  readonly authorization: string
  /** Its digest; what DNS-01 answers. */
  readonly digest: string
}

export interface OrderRequest {
  /** Sorted. */
  readonly names: readonly CertificateName[]
  /** How each host (without `*.`) is shown to be ours. */
  readonly ways: ReadonlyMap<Hostname, ChallengeWay>
  readonly profile?: string
  /** The chain in PEM of the certificate that this one comes in place of (RFC 9773 section 5); left out where it is not taken. */
  readonly replaces?: string
}

/** An order that is under way. What is not ended by `finish` is forgotten: it costs the authority nothing. */
export interface AcmeOrder {
  readonly url: string
  /** Empty where the authority remembers that all names are ours. */
  readonly challenges: readonly AskedChallenge[]
  /** Says that everything is shown now, and waits until the authority has seen all of it. */
  validate(signal: AbortSignal): Promise<void>
  /** Makes a key, has it certified, and checks that what comes back is for this key, these names and this time. */
  finish(signal: AbortSignal): Promise<IssuedCertificate>
}

/** Never to be logged. */
export interface IssuedCertificate {
  /** PEM, the end entity's first. */
  readonly chain: string
  /** PKCS #8 PEM. */
  readonly key: string
  readonly names: readonly CertificateName[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** When an authority would like a certificate to be renewed (RFC 9773 section 4.2). */
export interface RenewalInfo {
  readonly startMs: number
  readonly endMs: number
  readonly explanation?: string
  /** How long it stays as it is, milliseconds; bounded. */
  readonly askAgainMs: number
}

/**
 * One authority. Each call makes a bounded number of requests and waits a bounded time; a nonce that is refused is tried again.
 * Rejects with `AuthorityError`, or with the signal's reason where that ends it.
 */
export interface Authority {
  readonly directory: string
  describe(signal: AbortSignal): Promise<AuthorityFacts>
  /** Makes a key and an account; with the e-mail address and the binding where they are given. */
  register(
    options: { readonly email?: string; readonly binding?: AccountBinding },
    signal: AbortSignal,
  ): Promise<AcmeAccount>
  order(account: AcmeAccount, request: OrderRequest, signal: AbortSignal): Promise<AcmeOrder>
  /** Undefined where the authority offers none. */
  renewalInfo(chain: string, signal: AbortSignal): Promise<RenewalInfo | undefined>
  /** Signed by the account that it was ordered with, or by its own key in PEM. One that is revoked already is fine. */
  revoke(
    certificate: { readonly pem: string; readonly reason: number; readonly by: AcmeAccount | { readonly key: string } },
    signal: AbortSignal,
  ): Promise<void>
  /** Whether the authority says that it knows no such account, or lets nobody use it any more (RFC 8555 section 7.3.6). */
  hasEnded(account: AcmeAccount, signal: AbortSignal): Promise<boolean>
  /** Nobody can use the account from then on. */
  deactivate(account: AcmeAccount, signal: AbortSignal): Promise<void>
}
