import { type Codec, encodePacketData } from './codec.ts'
import type { Fields } from './fields.ts'
import type { CertificateAssociation, DelegationSigner, HostKey } from './types.ts'

/** Octets of the digests that a number says: RFC 4034, 4509, 5933 and 6605 for DS. */
const DS_DIGESTS: ReadonlyMap<number, number> = new Map([
  [1, 20],
  [2, 32],
  [3, 32],
  [4, 48],
])
/** RFC 4255 and 6594. */
const SSHFP_DIGESTS: ReadonlyMap<number, number> = new Map([
  [1, 20],
  [2, 32],
])
/** RFC 6698 section 2.1.3; 0 is the data itself. */
const TLSA_DIGESTS: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 64],
])

/** The mnemonics of algorithms that are still in use (RFC 4034 appendix A.1). */
const ALGORITHMS: ReadonlyMap<string, number> = new Map([
  ['RSASHA1', 5],
  ['RSASHA256', 8],
  ['RSASHA512', 10],
  ['ECDSAP256SHA256', 13],
  ['ECDSAP384SHA384', 14],
  ['ED25519', 15],
  ['ED448', 16],
])

/** RFC 4034 section 5. The digest may be broken by blanks. */
export const DS: Codec<DelegationSigner> = {
  hint: 'Write it as who signs the zone gives it: key tag, algorithm, digest type, digest, like "12345 13 2 4A1B…".',
  parse(fields) {
    const [keyTag, algorithm = '', type, digest] = fields.readJoined('key tag', 'algorithm', 'digest type', 'digest')
    const digestType = fields.readNumber(type, 'the digest type', 255)
    return {
      type: 'DS',
      keyTag: fields.readNumber(keyTag, 'the key tag', 0xffff),
      algorithm: ALGORITHMS.get(algorithm.toUpperCase()) ?? fields.readNumber(algorithm, 'the algorithm', 255),
      digestType,
      digest: readDigest(fields, digest, 'the digest', DS_DIGESTS.get(digestType)),
    }
  },
  format: ({ keyTag, algorithm, digestType, digest }) => `${keyTag} ${algorithm} ${digestType} ${formatHex(digest)}`,
  encode: (data) => encodePacketData({ name: '.', type: 'DS', data: { ...data, digest: Buffer.from(data.digest) } }),
  decode: (octets) => ({
    type: 'DS',
    keyTag: octets.readUint16(),
    algorithm: octets.readUint8(),
    digestType: octets.readUint8(),
    digest: octets.rest(),
  }),
}

/** RFC 4255. */
export const SSHFP: Codec<HostKey> = {
  hint: 'Write it as "ssh-keygen -r host" prints it: algorithm, fingerprint type, fingerprint, like "4 2 4A1B…".',
  parse(fields) {
    const [algorithm, type, fingerprint] = fields.readJoined('algorithm', 'fingerprint type', 'fingerprint')
    const fingerprintType = fields.readNumber(type, 'the fingerprint type', 255)
    return {
      type: 'SSHFP',
      algorithm: fields.readNumber(algorithm, 'the algorithm', 255),
      fingerprintType,
      fingerprint: readDigest(fields, fingerprint, 'the fingerprint', SSHFP_DIGESTS.get(fingerprintType)),
    }
  },
  format: ({ algorithm, fingerprintType, fingerprint }) => `${algorithm} ${fingerprintType} ${formatHex(fingerprint)}`,
  // dns-packet throws for fingerprint types that it does not know.
  encode: ({ algorithm, fingerprintType, fingerprint }) =>
    Buffer.concat([Uint8Array.of(algorithm, fingerprintType), fingerprint]),
  decode: (octets) => ({
    type: 'SSHFP',
    algorithm: octets.readUint8(),
    fingerprintType: octets.readUint8(),
    fingerprint: octets.rest(),
  }),
}

/** RFC 6698. */
export const TLSA: Codec<CertificateAssociation> = {
  hint: 'Write it like "3 1 1 4A1B…": usage, selector, matching type, then the digest or the certificate.',
  parse(fields) {
    const [usage, selector, type, data] = fields.readJoined('usage', 'selector', 'matching type', 'data')
    const matchingType = fields.readNumber(type, 'the matching type', 255)
    return {
      type: 'TLSA',
      usage: fields.readNumber(usage, 'the usage', 255),
      selector: fields.readNumber(selector, 'the selector', 255),
      matchingType,
      association: readDigest(fields, data, 'the data', TLSA_DIGESTS.get(matchingType)),
    }
  },
  format: ({ usage, selector, matchingType, association }) =>
    `${usage} ${selector} ${matchingType} ${formatHex(association)}`,
  encode: ({ association, ...data }) =>
    encodePacketData({ name: '.', type: 'TLSA', data: { ...data, certificate: Buffer.from(association) } }),
  decode: (octets) => ({
    type: 'TLSA',
    usage: octets.readUint8(),
    selector: octets.readUint8(),
    matchingType: octets.readUint8(),
    association: octets.rest(),
  }),
}

/** Upper case, as dig prints it. */
export const formatHex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex').toUpperCase()

function readDigest(fields: Fields, text: string | undefined, what: string, expected: number | undefined): Uint8Array {
  const digest = fields.readHex(text, what)
  if (expected !== undefined && digest.length !== expected)
    throw fields.refuse(`${what} has ${digest.length} octets; of that type it has ${expected}`)
  return digest
}
