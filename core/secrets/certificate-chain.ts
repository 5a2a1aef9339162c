import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { MakiError } from '../errors.ts'
import { type CertificateName, parseCertificateName } from '../operation/index.ts'

/** What a chain of certificates says, read from PEM (RFC 7468); the end entity's stands first. */
export interface CertificateChain {
  /** DNS names of its subjectAltName in canonical form; sorted, distinct. */
  readonly names: readonly CertificateName[]
  /** Names that are no DNS host names and do not serve: addresses, mail. */
  readonly ignored: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Common name or organisation of who signed it. */
  readonly issuer: string
  /** In canonical PEM, each certificate once, in the order in which each is signed by the next. */
  readonly pem: string
  readonly count: number
  /** True where the end entity signed itself. */
  readonly isSelfSigned: boolean
  readonly leaf: X509Certificate
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
/** A chain is some kilobytes; what is longer is something else. */
const MAX_PEM_LENGTH = 200_000
const MAX_CERTIFICATES = 10

/**
 * Reads certificates in whatever order they stand; the end entity is the one that signed no other. Throws MAKI_INVALID for what
 * is no chain: no certificate, one that does not belong to it, an end entity that is an authority or has no DNS name.
 */
export function parseCertificateChain(pem: string): CertificateChain {
  if (pem.length > MAX_PEM_LENGTH) throw invalid(`it has ${pem.length} characters, ${MAX_PEM_LENGTH} are allowed`)
  const certificates = readCertificates(pem)
  const ordered = orderChain(certificates)
  const leaf = ordered[0] as X509Certificate
  const { names, ignored } = readNames(leaf)
  if (leaf.ca) throw invalid('the first certificate is that of an authority, not of a host', AUTHORITY)
  if (names.length === 0)
    throw invalid('it is valid for no DNS name', 'A certificate needs its names as subjectAltName (RFC 9525).')
  const text = `${ordered.map((certificate) => certificate.toString().trim()).join('\n')}\n`
  return {
    names,
    ignored,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    issuer: readIssuer(leaf),
    pem: text,
    count: ordered.length,
    isSelfSigned: leaf.checkIssued(leaf) && leaf.verify(leaf.publicKey),
    leaf,
  }
}

/**
 * A private key in PEM. Throws MAKI_INVALID; for an encrypted one the hint says how to decrypt it, since a passphrase has no place
 * on a command line. The error never quotes the key.
 */
export function parsePrivateKey(pem: string): KeyObject {
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(pem)) {
    throw new MakiError('MAKI_INVALID', 'the private key is encrypted with a passphrase', {
      hint: 'Decrypt it on the way: openssl pkey -in KEY.pem | maki cert import CERT.pem --private-key -',
    })
  }
  try {
    return createPrivateKey({ key: pem, format: 'pem' })
  } catch {
    // The cause could quote what it read.
    throw new MakiError('MAKI_INVALID', 'there is no private key in PEM that can be read', {
      hint: 'It begins with -----BEGIN PRIVATE KEY----- (or RSA or EC PRIVATE KEY).',
    })
  }
}

/** True when the chain's first certificate was made for the key. */
export const isKeyOf = (chain: CertificateChain, key: KeyObject): boolean => chain.leaf.checkPrivateKey(key)

/** The key in the one form that is sealed: PKCS #8 PEM without encryption. */
export const formatPrivateKey = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

const NO_PEM = `It begins with -----BEGIN CERTIFICATE-----. Other forms are made so, DER (.der, .cer) and PKCS #12 (.p12, .pfx):
  openssl x509 -inform der -in FILE -out cert.pem
  openssl pkcs12 -in FILE -nodes | maki cert import -`

function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE) ?? []
  if (blocks.length === 0) throw invalid('there is no certificate in PEM', NO_PEM)
  const found = new Map<string, X509Certificate>()
  for (const [i, block] of blocks.entries()) {
    try {
      const certificate = new X509Certificate(block)
      found.set(certificate.fingerprint256, certificate)
    } catch (cause) {
      throw new MakiError('MAKI_INVALID', `certificate ${i + 1} cannot be read`, { cause, hint: CHECK })
    }
  }
  if (found.size > MAX_CERTIFICATES) throw invalid(`it has ${found.size} certificates, ${MAX_CERTIFICATES} are allowed`)
  return [...found.values()]
}

const isSignedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

function orderChain(certificates: readonly X509Certificate[]): X509Certificate[] {
  const signsAnother = (one: X509Certificate): boolean =>
    certificates.some((other) => other !== one && isSignedBy(other, one))
  const leaves = certificates.filter((certificate) => !signsAnother(certificate))
  if (leaves.length !== 1)
    throw invalid(
      `it holds ${leaves.length} chains`,
      'Give the certificate of one host, and those of the authorities that signed it.',
    )
  const ordered = [...leaves]
  for (let next = leaves[0]; next !== undefined; ) {
    const present = next
    next = certificates.find((other) => !ordered.includes(other) && isSignedBy(present, other))
    if (next !== undefined) ordered.push(next)
  }
  const stranger = certificates.find((certificate) => !ordered.includes(certificate))
  if (stranger !== undefined)
    throw invalid(`${oneLine(stranger.subject)} did not sign the certificate, nor one that did`)
  return ordered
}

function readNames(leaf: X509Certificate): { names: CertificateName[]; ignored: string[] } {
  const names = new Set<CertificateName>()
  const ignored: string[] = []
  for (const part of (leaf.subjectAltName ?? '').split(', ')) {
    if (part === '') continue
    try {
      if (!part.startsWith('DNS:')) throw new Error('no DNS name')
      names.add(parseCertificateName(part.slice('DNS:'.length)))
    } catch {
      ignored.push(part)
    }
  }
  return { names: [...names].sort(), ignored }
}

function readIssuer(leaf: X509Certificate): string {
  const fields = new Map(leaf.issuer.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]))
  const organisation = fields.get('O')
  const common = fields.get('CN')
  return [organisation, common].filter((part) => part !== undefined && part !== '').join(' ') || oneLine(leaf.issuer)
}

const oneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')

/** What openssl makes unless it is told otherwise. */
const AUTHORITY = 'If openssl made it, make it again with: -addext basicConstraints=critical,CA:FALSE'
const CHECK = 'Check it with: openssl x509 -in FILE -noout -text'

function invalid(why: string, hint = CHECK): MakiError {
  return new MakiError('MAKI_INVALID', `the certificate is not taken: ${why}`, { hint })
}
