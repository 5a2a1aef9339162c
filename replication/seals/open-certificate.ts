import { createHash } from 'node:crypto'
import {
  type CertificateName,
  type CertificateValue,
  formatPrivateKey,
  isKeyOf,
  MakiError,
  type OperationId,
  operationIdFrom,
  parseCertificateChain,
  parsePrivateKey,
  type SealEpochKey,
  sealPurpose,
} from '../../core/index.ts'

/** A certificate that can be served: chain and key were checked to belong together. What it says is what its chain says. */
export interface OpenCertificate {
  readonly name: CertificateName
  /** All that the chain is valid for, `name` among them; sorted. */
  readonly names: readonly CertificateName[]
  /** SHA-256 of the end entity's DER, lower-case base32. */
  readonly id: OperationId
  /** PEM, the end entity's first. */
  readonly chain: string
  /** PKCS #8 PEM; never to be logged, sent or written. */
  readonly key: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** The directory that it was ordered from, as its operation says; absent for one that was imported. */
  readonly directory?: string
  /** What its key is sealed to. */
  readonly epoch: SealEpochKey
}

/** What opens sealed values; the seal keeper. */
export interface SealOpener {
  holds(epoch: SealEpochKey): boolean
  open(purpose: string, sealed: CertificateValue['key']): Uint8Array
}

/**
 * Opens and checks a certificate of the state. What its operation says of names and dates is only said; what the chain says is
 * signed, and counts. Throws MAKI_INVALID where it cannot be served, and what the opener throws.
 */
export function openCertificate(value: CertificateValue, opener: SealOpener): OpenCertificate {
  const { name, directory } = value
  const chain = parseCertificateChain(value.chain)
  const key = parsePrivateKey(new TextDecoder().decode(opener.open(sealPurpose.certificate(name), value.key)))
  if (!isKeyOf(chain, key)) throw new MakiError('MAKI_INVALID', 'the key belongs to another certificate')
  if (!chain.names.includes(name))
    throw new MakiError('MAKI_INVALID', 'it is said to be valid for a name that it does not have')
  return {
    name,
    names: chain.names,
    id: operationIdFrom(createHash('sha256').update(chain.leaf.raw).digest()),
    chain: chain.pem,
    key: formatPrivateKey(key),
    notBeforeMs: chain.notBeforeMs,
    notAfterMs: chain.notAfterMs,
    ...(directory === undefined ? {} : { directory }),
    epoch: value.key.epoch,
  }
}
