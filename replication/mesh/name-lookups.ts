/** How often a name is looked up again: while the peer behind it does not answer, and otherwise. */
const FAILING_MS = 10_000
const WORKING_MS = 5 * 60_000
/** A lookup that never ends is asked for again. */
const LOST_MS = 60_000
/** More than any host has: a way is asked for to each. */
const MOST_ADDRESSES = 16

interface Known {
  addresses: readonly string[]
  /** Monotonic; undefined before the first answer. */
  answeredMs: number | undefined
  askedMs: number | undefined
}

/** Which names are due to be looked up, and what they led to last: an answer that fails takes nothing away. Sans-IO. */
export class NameLookups {
  readonly #known = new Map<string, Known>()

  addresses(name: string): readonly string[] {
    return this.#known.get(name)?.addresses ?? []
  }

  resolved(name: string, addresses: readonly string[], nowMs: number): void {
    const known = this.#known.get(name)
    if (known === undefined) return
    known.askedMs = undefined
    known.answeredMs = nowMs
    if (addresses.length > 0) known.addresses = addresses.slice(0, MOST_ADDRESSES)
  }

  /** The names to look up now, of those that matter and whether what they led to works; others are forgotten. */
  due(names: ReadonlyMap<string, boolean>, nowMs: number): readonly string[] {
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name)
    const due: string[] = []
    for (const [name, isWorking] of names) {
      const known = this.#known.get(name) ?? { addresses: [], answeredMs: undefined, askedMs: undefined }
      this.#known.set(name, known)
      if (known.askedMs !== undefined && nowMs - known.askedMs < LOST_MS) continue
      if (known.answeredMs !== undefined && nowMs - known.answeredMs < (isWorking ? WORKING_MS : FAILING_MS)) continue
      known.askedMs = nowMs
      due.push(name)
    }
    return due
  }
}
