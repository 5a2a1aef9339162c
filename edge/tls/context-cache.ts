import type { SecureContext } from 'node:tls'

/** Some 50 KiB each, and a host that is not among the last so many costs half a millisecond. */
const MAX_CONTEXTS = 512

/** The contexts used last, built once and not for each handshake. */
export class ContextCache {
  readonly #max: number
  /** Least recently used first. */
  readonly #contexts = new Map<string, SecureContext>()

  constructor(max = MAX_CONTEXTS) {
    this.#max = max
  }

  get size(): number {
    return this.#contexts.size
  }

  /** Throws what `build` throws. */
  get(id: string, build: () => SecureContext): SecureContext {
    const known = this.#contexts.get(id)
    const context = known ?? build()
    this.#contexts.delete(id)
    this.#contexts.set(id, context)
    if (this.#contexts.size > this.#max) this.#contexts.delete(this.#contexts.keys().next().value as string)
    return context
  }
}
