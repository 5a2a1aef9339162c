import { webcrypto } from 'node:crypto'
import type * as X509 from '@peculiar/x509'
import type { CertificateName } from '../../core/index.ts'

/** Names of one certificate; the first is what it is known by. */
export type CertificateNames = readonly [CertificateName, ...CertificateName[]]

export interface LocalCertificate {
  readonly names: CertificateNames
  /** PEM, the end entity's first. */
  readonly chain: string
  /** PKCS #8 PEM; never to be logged or written. */
  readonly key: string
}

export interface LocalAuthority {
  /** PEM. */
  readonly certificate: string
  readonly issued: readonly LocalCertificate[]
}

const DAY_MS = 86_400_000
/** What browsers take at most of public authorities (CA/Browser Forum, 2020); all take it of local ones. */
const LIFE_MS = 397 * DAY_MS
/** Clocks of virtual machines are behind. */
const EARLIER_MS = 3_600_000
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const NAME_CONSTRAINTS = '2.5.29.30'
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * Makes an authority that certifies these names once: its key is forgotten before this resolves, so that whoever trusts it trusts
 * these certificates and none that anybody could make later. It is constrained besides (RFC 5280 section 4.2.1.10) to the
 * names and what lies below them, to servers, and to no address.
 */
export async function makeLocalAuthority(sets: readonly CertificateNames[], nowMs: number): Promise<LocalAuthority> {
  const x509 = await import('@peculiar/x509')
  const { subtle } = webcrypto
  const newKeys = () => subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>
  const times = { notBefore: new Date(nowMs - EARLIER_MS), notAfter: new Date(nowMs + LIFE_MS) }
  const keys = await newKeys()
  const [first] = sets
  const name = `O=makiatto dev, CN=Local certificates for ${first?.[0] ?? 'nothing'}`
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name,
      keys,
      serialNumber: newSerial(),
      ...times,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
        new x509.Extension(NAME_CONSTRAINTS, true, encodeConstraints(sets.flat())),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  )
  const issued: LocalCertificate[] = []
  for (const names of sets) issued.push(await issue(x509, { keys, root, times, own: await newKeys(), names }))
  return { certificate: `${root.toString('pem')}\n`, issued }
}

async function issue(
  x509: typeof X509,
  parts: {
    readonly keys: webcrypto.CryptoKeyPair
    readonly root: X509.X509Certificate
    readonly times: { readonly notBefore: Date; readonly notAfter: Date }
    readonly own: webcrypto.CryptoKeyPair
    readonly names: CertificateNames
  },
): Promise<LocalCertificate> {
  const { keys, root, times, own, names } = parts
  const leaf = await x509.X509CertificateGenerator.create(
    {
      subject: '',
      issuer: root.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      serialNumber: newSerial(),
      ...times,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
        // RFC 5280 section 4.2.1.6: critical where there is no subject.
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: 'dns', value })),
          true,
        ),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  )
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64')
  const lines = key.match(/.{1,64}/g) ?? []
  return {
    names,
    chain: `${leaf.toString('pem')}\n${root.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
  }
}

/** 16 octets, positive. */
function newSerial(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** NameConstraints in DER: these DNS names and what lies below them; no IPv4 address, no IPv6 address. */
function encodeConstraints(names: readonly CertificateName[]): ArrayBuffer {
  const hosts = [...new Set(names.map((name) => name.replace(/^\*\./, '')))].sort()
  const outermost = hosts.filter((host) => !hosts.some((other) => host.endsWith(`.${other}`)))
  const permitted = outermost.map((host) => der(0x30, der(0x82, Buffer.from(host, 'ascii'))))
  const excluded = [8, 32].map((length) => der(0x30, der(0x87, Buffer.alloc(length))))
  const whole = der(0x30, Buffer.concat([der(0xa0, Buffer.concat(permitted)), der(0xa1, Buffer.concat(excluded))]))
  return new Uint8Array(whole).buffer
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
