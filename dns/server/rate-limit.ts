import { ipOctets, SipHash } from '../wire/index.ts'

/** What becomes of an answer: sent; cut, so that an honest asker comes again another way; or not sent. */
export type Verdict = 'send' | 'cut' | 'drop'

/** Seconds of answers that an account may have at once after a pause. */
const BURST_SECONDS = 2
/** Of the answers over the limit, one in so many is cut instead of dropped. */
const SLIP = 2
/** Networks of this size count as one client: whoever forges or holds one address has its neighbours too. */
const IPV4_PREFIX_OCTETS = 3
const IPV6_PREFIX_OCTETS = 7
const KEY_OCTETS = 16

/** An account is in one of so many places of one row. */
const ROW = 4
const DEFAULT_ROWS = 16_384
const MS_PER_SECOND = 1000

/**
 * Limits equal answers to one network: whoever asks in the name of a victim gets it no more than `perSecond` of each kind
 * a second, and twice as many at first. Per kind and network a bucket, kept as the time when it is full again (the generic
 * cell rate algorithm, ITU-T I.371).
 *
 * The table has a fixed size and forgets, where it must, the bucket that is nearest to full: so an account can be treated
 * better than it deserves, when many others came at once, and never worse. Which accounts share a row depends on a key
 * that nobody else knows, and accounts in a row are told apart by 53 bits of a keyed hash.
 */
export class RateLimit {
  readonly #hash: SipHash
  readonly #intervalMs: number
  readonly #burstMs: number
  readonly #rowMask: number
  readonly #tags: Float64Array
  /** When each bucket is full again, monotonic milliseconds; 0 for a place that was never used. */
  readonly #fullAt: Float64Array
  readonly #overLimit: Uint8Array
  #input = Buffer.alloc(256)

  /** `key`: 16 random octets. `rows`: a power of two. Throws RangeError for other values. */
  constructor(perSecond: number, key: Uint8Array, rows: number = DEFAULT_ROWS) {
    if (!(perSecond > 0)) throw new RangeError(`${perSecond} is no rate`)
    if (!Number.isInteger(Math.log2(rows))) throw new RangeError(`${rows} is no power of two`)
    this.#hash = new SipHash(key)
    this.#intervalMs = MS_PER_SECOND / perSecond
    this.#burstMs = Math.max(0, BURST_SECONDS * MS_PER_SECOND - this.#intervalMs)
    this.#rowMask = rows - 1
    this.#tags = new Float64Array(rows * ROW)
    this.#fullAt = new Float64Array(rows * ROW)
    this.#overLimit = new Uint8Array(rows * ROW)
  }

  /** Counts one answer of an account to a client's address; `nowMs` is monotonic. */
  take(address: string, account: string, nowMs: number): Verdict {
    const place = this.#findPlace(address, account, nowMs)
    const fullAt = Math.max(this.#fullAt[place] as number, nowMs)
    if (fullAt - nowMs <= this.#burstMs) {
      this.#fullAt[place] = fullAt + this.#intervalMs
      return 'send'
    }
    const over = ((this.#overLimit[place] as number) + 1) % SLIP
    this.#overLimit[place] = over
    return over === 0 ? 'cut' : 'drop'
  }

  #findPlace(address: string, account: string, nowMs: number): number {
    const { low, high } = this.#hash.digest(this.#write(address, account))
    const tag = (high & 0x1f_ffff) * 2 ** 32 + low
    const first = (low & this.#rowMask) * ROW
    let oldest = first
    for (let place = first; place < first + ROW; place++) {
      if (this.#tags[place] === tag) return place
      if ((this.#fullAt[place] as number) < (this.#fullAt[oldest] as number)) oldest = place
    }
    this.#tags[oldest] = tag
    this.#fullAt[oldest] = nowMs
    this.#overLimit[oldest] = 0
    return oldest
  }

  /** The network at a fixed length, then the account. */
  #write(address: string, account: string): Uint8Array {
    const needed = KEY_OCTETS + account.length
    if (needed > this.#input.length) this.#input = Buffer.alloc(needed * 2)
    this.#input.fill(0, 0, KEY_OCTETS)
    const octets = ipOctets(address)
    if (octets !== undefined) {
      const kept = octets.length === 4 ? IPV4_PREFIX_OCTETS : IPV6_PREFIX_OCTETS
      this.#input[0] = octets.length
      for (let i = 0; i < kept; i++) this.#input[i + 1] = octets[i] as number
    }
    const length = this.#input.write(account, KEY_OCTETS, 'latin1')
    return this.#input.subarray(0, KEY_OCTETS + length)
  }
}
