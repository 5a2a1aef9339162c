import type { NameKey, UnknownType } from '../wire/index.ts'

/** Typed data of one record. Names are keys: lower case, absolute, without the final dot, the root empty. */
export type Rdata =
  | AddressData
  | TargetData
  | NameServer
  | MailExchange
  | TextData
  | Soa
  | CertificateAuthority
  | Service
  | DelegationSigner
  | HostKey
  | CertificateAssociation
  | ServiceBinding
  | UnknownData

/** `address` of an AAAA is as `formatIp` writes it (RFC 5952). */
export interface AddressData {
  readonly type: 'A' | 'AAAA'
  readonly address: string
}

/** RFC 1035 sections 3.3.1 and 3.3.12. */
export interface TargetData {
  readonly type: 'CNAME' | 'PTR'
  readonly target: NameKey
}

/** RFC 1035 section 3.3.11. */
export interface NameServer {
  readonly type: 'NS'
  readonly server: NameKey
}

/** RFC 1035 section 3.3.9; the root as exchange says that there is no mail (RFC 7505). */
export interface MailExchange {
  readonly type: 'MX'
  readonly preference: number
  readonly exchange: NameKey
}

/** RFC 1035 section 3.3.14. At least one string, none longer than 255 octets. */
export interface TextData {
  readonly type: 'TXT'
  readonly strings: readonly Uint8Array[]
}

/** RFC 1035 section 3.3.13; times in seconds. */
export interface Soa {
  readonly type: 'SOA'
  readonly mname: NameKey
  readonly rname: NameKey
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

/** RFC 8659. Each character of `value` is one octet, nearly always of ASCII; `tag` is lower case. */
export interface CertificateAuthority {
  readonly type: 'CAA'
  readonly flags: number
  readonly tag: string
  readonly value: string
}

/** RFC 2782; the root as target says that the service is not there. */
export interface Service {
  readonly type: 'SRV'
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: NameKey
}

/** RFC 4034 section 5. */
export interface DelegationSigner {
  readonly type: 'DS'
  readonly keyTag: number
  readonly algorithm: number
  readonly digestType: number
  readonly digest: Uint8Array
}

/** RFC 4255. */
export interface HostKey {
  readonly type: 'SSHFP'
  readonly algorithm: number
  readonly fingerprintType: number
  readonly fingerprint: Uint8Array
}

/** RFC 6698. */
export interface CertificateAssociation {
  readonly type: 'TLSA'
  readonly usage: number
  readonly selector: number
  readonly matchingType: number
  readonly association: Uint8Array
}

/** RFC 9460. Priority 0 is the alias form, which has no parameters. */
export interface ServiceBinding {
  readonly type: 'HTTPS' | 'SVCB'
  readonly priority: number
  /** The root is the owner itself, or in the alias form nothing. */
  readonly target: NameKey
  /** Sorted by key, each key once. */
  readonly params: readonly ServiceParam[]
}

/** A parameter as it is on the wire. */
export interface ServiceParam {
  readonly key: number
  readonly value: Uint8Array
}

/** Data of a type that has no name here (RFC 3597). */
export interface UnknownData {
  readonly type: UnknownType
  readonly data: Uint8Array
}
