import type { Hostname } from '../../core/index.ts'

/** What one domain may take of it. */
const SHARE = 0.5

/** Memory for content that waits for functions: bounded over all calls of a worker, and for each domain. */
export class ContentRoom {
  readonly #maxBytes: number
  readonly #held = new Map<Hostname, number>()
  #heldBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** What one call holds; given back when it is disposed of. */
  enter(domain: Hostname): { take(bytes: number): boolean } & Disposable {
    let own = 0
    return {
      take: (bytes) => {
        const ofDomain = (this.#held.get(domain) ?? 0) + bytes
        if (this.#heldBytes + bytes > this.#maxBytes || ofDomain > this.#maxBytes * SHARE) return false
        own += bytes
        this.#heldBytes += bytes
        this.#held.set(domain, ofDomain)
        return true
      },
      [Symbol.dispose]: () => {
        this.#heldBytes -= own
        const left = (this.#held.get(domain) ?? 0) - own
        if (left > 0) this.#held.set(domain, left)
        else this.#held.delete(domain)
        own = 0
      },
    }
  }
}
