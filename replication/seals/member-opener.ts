import { createHash, type KeyObject } from 'node:crypto'
import { idBytes, MakiError, type MemberKey, SEED_BYTES } from '../../core/index.ts'
import { importPrivateKey } from './hpke.ts'

/** Field of Curve25519 (RFC 7748 section 4.1). */
const P = 2n ** 255n - 19n

/**
 * A member's Ed25519 public key as the X25519 key of the same private key: u = (1 + y) / (1 - y), the birational map of RFC
 * 7748 section 4.1, as age's ssh keys and libsodium's `crypto_sign_ed25519_pk_to_curve25519` do. Signing and this key
 * encapsulation with one key pair are secure together: Thormarker, "On using the same key pair for Ed25519 and an X25519
 * based KEM" (2021). Throws MAKI_INVALID for y = 1, which no honest key has.
 */
export function memberSealKey(member: MemberKey): Uint8Array {
  const y = readLittleEndian(idBytes(member)) & (2n ** 255n - 1n)
  const denominator = mod(1n - y)
  if (denominator === 0n) throw new MakiError('MAKI_INVALID', `nothing can be sealed to the key ${member}`)
  return writeLittleEndian(mod((1n + y) * power(denominator, P - 2n)))
}

/**
 * The private half of `memberSealKey`, from the seed of the member's key: the first half of its SHA-512, which is the scalar of
 * RFC 8032 section 5.1.5 too.
 */
export function memberOpenKey(seed: Uint8Array): KeyObject {
  if (seed.length !== SEED_BYTES)
    throw new MakiError('MAKI_INVALID', `a private key has ${SEED_BYTES} bytes, not ${seed.length}`)
  return importPrivateKey(createHash('sha512').update(seed).digest().subarray(0, 32))
}

const mod = (a: bigint): bigint => ((a % P) + P) % P

/** Square and multiply; its time tells of the exponent, which is a constant, and of public keys. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = mod(base)
  for (let left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

const readLittleEndian = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)

function writeLittleEndian(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse())
}
