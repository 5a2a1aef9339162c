import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'

/**
 * Hybrid public key encryption (RFC 9180), base mode, one message a context: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * ChaCha20Poly1305. Curve, HMAC and cipher are node's; what is here is the RFC's key schedule, held to its appendix A.2.
 */

export const X25519_BYTES = 32
const TAG_BYTES = 16
const CIPHER = 'chacha20-poly1305'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const HASH_BYTES = 32

const KEM_ID = [0x00, 0x20]
const KDF_ID = [0x00, 0x01]
const AEAD_ID = [0x00, 0x03]
const KEM_SUITE = Buffer.from([...Buffer.from('KEM'), ...KEM_ID])
const HPKE_SUITE = Buffer.from([...Buffer.from('HPKE'), ...KEM_ID, ...KDF_ID, ...AEAD_ID])
const VERSION = Buffer.from('HPKE-v1')
const MODE_BASE = 0x00
const EMPTY = new Uint8Array(0)

/** What both sides have to say alike, or the message does not open. */
export interface HpkeContext {
  readonly info: Uint8Array
  readonly aad: Uint8Array
}

/** The fixed prefixes of RFC 8410 section 7; the 32 bytes of the key follow. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

/** An X25519 private key (RFC 7748) from 32 bytes, clamped where it is used. */
export function importPrivateKey(bytes: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, bytes]), format: 'der', type: 'pkcs8' })
}

const importPublicKey = (bytes: Uint8Array): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' })

/** The public half, 32 bytes. */
export function exportPublicKey(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length))
}

/**
 * Seals to a public key: the encapsulated key (32 bytes), then ciphertext and tag. `ephemeral` are 32 strong random bytes
 * that are used once. Throws for a public key that no private key belongs to (a point of small order).
 */
export function sealHpke(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  context: HpkeContext,
  ephemeral: Uint8Array,
): Uint8Array {
  const privateKey = importPrivateKey(ephemeral)
  const encapsulated = exportPublicKey(privateKey)
  const dh = diffieHellman({ privateKey, publicKey: importPublicKey(publicKey) })
  const { key, nonce } = scheduleKey(sharedSecret(dh, encapsulated, publicKey), context.info)
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(context.aad, { plaintextLength: plaintext.length })
  const body = [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]
  return new Uint8Array(Buffer.concat([encapsulated, ...body]))
}

/** Opens what `sealHpke` made; throws for anything that was not sealed to this key in this context. */
export function openHpke(privateKey: KeyObject, sealed: Uint8Array, context: HpkeContext): Uint8Array {
  if (sealed.length < X25519_BYTES + TAG_BYTES) throw new Error('it is too short')
  const encapsulated = sealed.subarray(0, X25519_BYTES)
  const dh = diffieHellman({ privateKey, publicKey: importPublicKey(encapsulated) })
  const secret = sharedSecret(dh, encapsulated, exportPublicKey(privateKey))
  const { key, nonce } = scheduleKey(secret, context.info)
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  const ciphertext = sealed.subarray(X25519_BYTES, sealed.length - TAG_BYTES)
  decipher.setAAD(context.aad, { plaintextLength: ciphertext.length })
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  return new Uint8Array(Buffer.concat([decipher.update(ciphertext), decipher.final()]))
}

/** `ExtractAndExpand` of section 4.1. */
function sharedSecret(dh: Uint8Array, encapsulated: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const prk = extract(KEM_SUITE, EMPTY, 'eae_prk', dh)
  return expand(KEM_SUITE, prk, 'shared_secret', Buffer.concat([encapsulated, publicKey]), HASH_BYTES)
}

/** `KeySchedule` of section 5.1 for the base mode; the first nonce is the base nonce. */
function scheduleKey(secret: Uint8Array, info: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const pskIdHash = extract(HPKE_SUITE, EMPTY, 'psk_id_hash', EMPTY)
  const infoHash = extract(HPKE_SUITE, EMPTY, 'info_hash', info)
  const context = Buffer.concat([Buffer.of(MODE_BASE), pskIdHash, infoHash])
  const prk = extract(HPKE_SUITE, secret, 'secret', EMPTY)
  return {
    key: expand(HPKE_SUITE, prk, 'key', context, KEY_BYTES),
    nonce: expand(HPKE_SUITE, prk, 'base_nonce', context, NONCE_BYTES),
  }
}

/** `LabeledExtract` of section 4. */
function extract(suite: Uint8Array, salt: Uint8Array, label: string, input: Uint8Array): Uint8Array {
  return createHmac('sha256', salt).update(VERSION).update(suite).update(label).update(input).digest()
}

/** `LabeledExpand` of section 4; one block of HMAC is as much as anybody here asks for. */
function expand(suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array {
  return createHmac('sha256', prk)
    .update(Buffer.of(length >> 8, length & 0xff))
    .update(VERSION)
    .update(suite)
    .update(label)
    .update(info)
    .update(Buffer.of(1))
    .digest()
    .subarray(0, length)
}
