/** SipHash-2-4 with a 128-bit key (Aumasson and Bernstein 2012), on pairs of 32-bit halves: no BigInt on the path of a query. */

/** Eight octets as two numbers, as SipHash gives them: `low` are the first four, little-endian. */
export interface SipDigest {
  readonly low: number
  readonly high: number
}

/** A keyed hash: who does not know the key cannot tell which inputs collide. Throws RangeError unless `key` has 16 octets. */
export class SipHash {
  readonly #k0l: number
  readonly #k0h: number
  readonly #k1l: number
  readonly #k1h: number
  #a = 0
  #b = 0
  #c = 0
  #d = 0
  #e = 0
  #f = 0
  #g = 0
  #h = 0

  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError(`the key has ${key.length} octets, not 16`)
    this.#k0l = word(key, 0)
    this.#k0h = word(key, 4)
    this.#k1l = word(key, 8)
    this.#k1h = word(key, 12)
  }

  digest(message: Uint8Array): SipDigest {
    // v0 = (a, b), v1 = (c, d), v2 = (e, f), v3 = (g, h), each low half first.
    this.#a = this.#k0l ^ 0x70736575
    this.#b = this.#k0h ^ 0x736f6d65
    this.#c = this.#k1l ^ 0x6e646f6d
    this.#d = this.#k1h ^ 0x646f7261
    this.#e = this.#k0l ^ 0x6e657261
    this.#f = this.#k0h ^ 0x6c796765
    this.#g = this.#k1l ^ 0x79746573
    this.#h = this.#k1h ^ 0x74656462
    const whole = message.length & ~7
    for (let i = 0; i < whole; i += 8) this.#compress(word(message, i), word(message, i + 4))
    let low = 0
    let high = message.length << 24
    for (let i = whole; i < message.length; i++) {
      const octet = message[i] as number
      if (i - whole < 4) low |= octet << ((i - whole) * 8)
      else high |= octet << ((i - whole - 4) * 8)
    }
    this.#compress(low, high)
    this.#e ^= 0xff
    for (let i = 0; i < 4; i++) this.#round()
    return {
      low: (this.#a ^ this.#c ^ this.#e ^ this.#g) >>> 0,
      high: (this.#b ^ this.#d ^ this.#f ^ this.#h) >>> 0,
    }
  }

  #compress(low: number, high: number): void {
    this.#g ^= low
    this.#h ^= high
    this.#round()
    this.#round()
    this.#a ^= low
    this.#b ^= high
  }

  #round(): void {
    let [a, b, c, d, e, f, g, h] = [this.#a, this.#b, this.#c, this.#d, this.#e, this.#f, this.#g, this.#h]
    let sum = 0
    let keep = 0
    // v0 += v1; v1 <<<= 13; v1 ^= v0; v0 <<<= 32
    sum = (a >>> 0) + (c >>> 0)
    b = (b + d + (sum > 0xffff_ffff ? 1 : 0)) | 0
    a = sum | 0
    keep = c
    c = ((c << 13) | (d >>> 19)) ^ a
    d = ((d << 13) | (keep >>> 19)) ^ b
    keep = a
    a = b
    b = keep
    // v2 += v3; v3 <<<= 16; v3 ^= v2
    sum = (e >>> 0) + (g >>> 0)
    f = (f + h + (sum > 0xffff_ffff ? 1 : 0)) | 0
    e = sum | 0
    keep = g
    g = ((g << 16) | (h >>> 16)) ^ e
    h = ((h << 16) | (keep >>> 16)) ^ f
    // v0 += v3; v3 <<<= 21; v3 ^= v0
    sum = (a >>> 0) + (g >>> 0)
    b = (b + h + (sum > 0xffff_ffff ? 1 : 0)) | 0
    a = sum | 0
    keep = g
    g = ((g << 21) | (h >>> 11)) ^ a
    h = ((h << 21) | (keep >>> 11)) ^ b
    // v2 += v1; v1 <<<= 17; v1 ^= v2; v2 <<<= 32
    sum = (e >>> 0) + (c >>> 0)
    f = (f + d + (sum > 0xffff_ffff ? 1 : 0)) | 0
    e = sum | 0
    keep = c
    c = ((c << 17) | (d >>> 15)) ^ e
    d = ((d << 17) | (keep >>> 15)) ^ f
    keep = e
    e = f
    f = keep
    this.#a = a
    this.#b = b
    this.#c = c
    this.#d = d
    this.#e = e
    this.#f = f
    this.#g = g
    this.#h = h
  }
}

const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24)
