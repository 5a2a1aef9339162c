/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998) on 32-bit numbers, for every query: `core/rendezvous.ts` does it with
 * SHA-256 for what must not be foreseen. Here a client who finds out which node it is sent to has learned nothing.
 */
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** What a node's key brings to every draw. */
export function affinitySeed(key: string): number {
  let hash = FNV_OFFSET
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME)
  return mix(hash)
}

/** How much a node and a network (`Located.spread`) attract each other; who has the most is drawn. Uniform over 32 bits. */
export const affinity = (seed: number, spread: number): number =>
  mix(mix(seed ^ Math.floor(spread * 0x1_0000_0000)) + seed)

/** The first `bits` bits of an address as a number in [0, 1): equal for equal networks, evenly spread otherwise. */
export function spreadOf(octets: Uint8Array, bits: number): number {
  let hash = mix(FNV_OFFSET ^ (octets.length + bits * 0x100))
  for (let i = 0; i * 8 < bits; i++) {
    const kept = Math.min(8, bits - i * 8)
    const octet = (octets[i] as number) & (0xff << (8 - kept)) & 0xff
    hash = mix(Math.imul(hash ^ octet, FNV_PRIME) + i)
  }
  return hash / 0x1_0000_0000
}

/** The finaliser of MurmurHash3 (Appleby, public domain): every bit of the input changes half of those of the output. */
function mix(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
