import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { MakiError } from './errors.ts'
import { idBytes, type MemberKey, memberKeyFrom } from './ids.ts'

export const SIGNATURE_BYTES = 64
export const SEED_BYTES = 32

/** Holds a private key and signs with it; the key itself never leaves. */
export interface Signer {
  readonly key: MemberKey
  /** Ed25519 signature (RFC 8032), 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
}

/** The fixed PKCS #8 prefix of an Ed25519 private key (RFC 8410 section 7); the 32-byte seed follows. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A signer from a 32-byte seed (RFC 8032 section 5.1.5: the private key). */
export function createSigner(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES)
    throw new MakiError('MAKI_INVALID', `a private key has ${SEED_BYTES} bytes, not ${seed.length}`)
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const key = memberKeyFrom(new Uint8Array(Buffer.from(x as string, 'base64url')))
  return { key, sign: (bytes) => new Uint8Array(sign(null, bytes, privateKey)) }
}

/** Importing a key costs more than a look-up; a cluster has few members, so a small cache meets nearly every use. */
const CACHED_KEYS = 1024
const cache = new Map<MemberKey, KeyObject>()

function publicKeyObject(key: MemberKey): KeyObject {
  const known = cache.get(key)
  if (known !== undefined) return known
  const x = Buffer.from(idBytes(key)).toString('base64url')
  const object = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (cache.size >= CACHED_KEYS) cache.clear()
  cache.set(key, object)
  return object
}

/** True when `signature` is the key holder's over `bytes`; false for anything else, never an error. */
export function verifySignature(key: MemberKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  try {
    return verify(null, bytes, publicKeyObject(key), signature)
  } catch {
    return false
  }
}

/** As `verifySignature`, on another thread of the process: for many, while this one has other things to do. */
export function verifySignatureAside(key: MemberKey, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (signature.length !== SIGNATURE_BYTES) return Promise.resolve(false)
  return new Promise((resolve) => {
    try {
      verify(null, bytes, publicKeyObject(key), signature, (error, isRight) => resolve(error === null && isRight))
    } catch {
      resolve(false)
    }
  })
}
