import type { BlobHash, Hostname } from '../../../core/index.ts'
import { HashSieve } from '../../../replication/index.ts'
import { type EncodingList, LISTED_BYTES } from './encoding-list.ts'

/** How much an encoding is needed: `first` and `rest` of what is served now, `old` for all else. */
export type Tier = 'first' | 'rest' | 'old'

export interface EncodingJob {
  readonly hash: BlobHash
  readonly sizeBytes: number
  readonly tier: 'first' | 'rest'
}

const HASH_BYTES = 32

interface Cursor {
  readonly bytes: Buffer
  at: number
}

/**
 * What is to be encoded next: first what visitors wait for, of the release that was switched to last; in the end everything
 * that is served. Holds 36 bytes for each file.
 */
export class EncodingQueue {
  readonly #lists = new Map<Hostname, EncodingList>()
  /** What is left of each list; the one that came last is at the end. */
  readonly #left = { first: new Map<Hostname, Cursor>(), rest: new Map<Hostname, Cursor>() }
  #live: Readonly<Record<'first' | 'rest', HashSieve>> | undefined

  /** What a domain serves from now on; undefined: nothing. */
  replace(domain: Hostname, list: EncodingList | undefined): void {
    this.#live = undefined
    this.#lists.delete(domain)
    if (list !== undefined) this.#lists.set(domain, list)
    this.#begin(domain, list)
  }

  /** Looks through all lists again: something that had been made is gone, or something that was missing has come. */
  restart(): void {
    for (const [domain, list] of this.#lists) this.#begin(domain, list)
  }

  /** Files that were not looked at yet. */
  get waiting(): number {
    let files = 0
    for (const cursors of [this.#left.first, this.#left.rest])
      for (const { bytes, at } of cursors.values()) files += (bytes.length - at) / LISTED_BYTES
    return files
  }

  /** The next file that is wanted; `later` after `most` looks, so that nobody else waits for long; undefined at the end. */
  next(isWanted: (hash: BlobHash, sizeBytes: number) => boolean, most: number): EncodingJob | 'later' | undefined {
    let looks = 0
    for (const tier of ['first', 'rest'] as const) {
      for (;;) {
        const last = [...this.#left[tier]].at(-1)
        if (last === undefined) break
        const [domain, cursor] = last
        while (cursor.at < cursor.bytes.length) {
          if (looks++ >= most) return 'later'
          const hash = cursor.bytes.toString('hex', cursor.at, cursor.at + HASH_BYTES) as BlobHash
          const sizeBytes = cursor.bytes.readUInt32LE(cursor.at + HASH_BYTES)
          cursor.at += LISTED_BYTES
          if (isWanted(hash, sizeBytes)) return { hash, sizeBytes, tier }
        }
        this.#left[tier].delete(domain)
      }
    }
    return undefined
  }

  /** What the encodings of a blob are for. May say more than is so, once in many millions. */
  tierOf(hash: BlobHash): Tier {
    this.#live ??= { first: this.#sieve('first'), rest: this.#sieve('rest') }
    return this.#live.first.has(hash) ? 'first' : this.#live.rest.has(hash) ? 'rest' : 'old'
  }

  #begin(domain: Hostname, list: EncodingList | undefined): void {
    for (const tier of ['first', 'rest'] as const) {
      this.#left[tier].delete(domain)
      const bytes = list?.[tier]
      if (bytes === undefined || bytes.length === 0) continue
      this.#left[tier].set(domain, { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), at: 0 })
    }
  }

  #sieve(tier: 'first' | 'rest'): HashSieve {
    const sieve = new HashSieve()
    for (const list of this.#lists.values()) {
      const bytes = list[tier]
      for (let at = 0; at + LISTED_BYTES <= bytes.length; at += LISTED_BYTES)
        sieve.addAll(bytes.subarray(at, at + HASH_BYTES))
    }
    return sieve
  }
}
