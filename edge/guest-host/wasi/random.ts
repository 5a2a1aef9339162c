import { GuestTrap, type Instance } from './instance.ts'

/** Of one call. Who asked for more and got less would take what is missing for random. */
export const MAX_RANDOM_BYTES = 1024 * 1024
const POOL_BYTES = 1024
const U64_BYTES = 8

/** wasi:random: what is called insecure is of the same strong source. More than MAX_RANDOM_BYTES at a time traps. */
export function buildRandom({ ports }: Instance): Record<string, object> {
  const { runtime } = ports
  let pool: DataView = new DataView(new ArrayBuffer(0))
  let at = 0
  const getU64 = (): bigint => {
    if (at + U64_BYTES > pool.byteLength) {
      const bytes = runtime.randomBytes(POOL_BYTES)
      pool = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      at = 0
    }
    at += U64_BYTES
    return pool.getBigUint64(at - U64_BYTES)
  }
  const getBytes = (length: bigint): Uint8Array => {
    if (length > BigInt(MAX_RANDOM_BYTES))
      throw new GuestTrap(`${length} random bytes were asked for at once, ${MAX_RANDOM_BYTES} can be had`)
    return runtime.randomBytes(Number(length))
  }
  return {
    'wasi:random/random': { getRandomBytes: getBytes, getRandomU64: getU64 },
    'wasi:random/insecure': { getInsecureRandomBytes: getBytes, getInsecureRandomU64: getU64 },
    'wasi:random/insecure-seed': { insecureSeed: (): [bigint, bigint] => [getU64(), getU64()] },
  }
}
