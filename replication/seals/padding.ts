import { MakiError } from '../../core/index.ts'

/** Bytes before the value that say how long it is, big endian. */
const LENGTH_BYTES = 4
/** Up to here all values look alike: passwords, tokens, keys of elliptic curves. */
const LEAST_BYTES = 256
/** A box has 100,000 characters; this is what fits below. */
export const MAX_SEALED_BYTES = 64 * 1024

/**
 * Pads so that a box's length says little of the value: 256 bytes, or else Padmé (Nikitin et al., "Reducing Metadata Leakage
 * from Encrypted Files", 2019), which adds at most 12 % and leaves O(log log n) bits. Throws MAKI_TOO_LARGE.
 */
export function pad(value: Uint8Array, leastBytes = LEAST_BYTES): Uint8Array {
  if (value.length > MAX_SEALED_BYTES)
    throw new MakiError('MAKI_TOO_LARGE', `a secret has ${value.length} bytes, ${MAX_SEALED_BYTES} are allowed`)
  const padded = new Uint8Array(Math.max(leastBytes, padme(LENGTH_BYTES + value.length)))
  new DataView(padded.buffer).setUint32(0, value.length)
  padded.set(value, LENGTH_BYTES)
  return padded
}

/** Throws MAKI_INVALID for what `pad` did not make. */
export function unpad(padded: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(padded)
  const length = bytes.length < LENGTH_BYTES ? -1 : new DataView(bytes.buffer).getUint32(0)
  if (length < 0 || LENGTH_BYTES + length > bytes.length)
    throw new MakiError('MAKI_INVALID', 'the sealed value is not padded as expected')
  return bytes.slice(LENGTH_BYTES, LENGTH_BYTES + length)
}

function padme(length: number): number {
  const exponent = 31 - Math.clz32(length)
  const kept = 32 - Math.clz32(exponent)
  const mask = 2 ** Math.max(0, exponent - kept) - 1
  return (length + mask) & ~mask
}
