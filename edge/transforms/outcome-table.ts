import type { BlobHash } from '../../core/index.ts'
import type { TransformOutcome } from './transform-job.ts'

type Known = Exclude<TransformOutcome, { kind: 'failed' }>

interface Entry {
  readonly outcome: Known
  readonly chars: number
}

/** What an entry costs beside its text. */
const ENTRY_CHARS = 400

/** Outcomes by the keys of their jobs, least recently used first to go; and which of them are of a result. */
export class OutcomeTable {
  readonly #maxChars: number
  readonly #entries = new Map<string, Entry>()
  readonly #results = new Map<BlobHash, { readonly sizeBytes: number; readonly keys: Set<string> }>()
  #chars = 0

  constructor(maxChars: number) {
    this.#maxChars = maxChars
  }

  find(key: string): Known | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.outcome
  }

  /** How many bytes this result of some job has; undefined where it is none. */
  sizeOf(hash: BlobHash): number | undefined {
    return this.#results.get(hash)?.sizeBytes
  }

  keep(key: string, outcome: Known): void {
    this.forget(key)
    const chars = ENTRY_CHARS + (outcome.kind === 'done' ? sizeOf(outcome.result.headers) : 0)
    this.#entries.set(key, { outcome, chars })
    this.#chars += chars
    if (outcome.kind === 'done') {
      const { hash, sizeBytes } = outcome.result
      const known = this.#results.get(hash) ?? { sizeBytes, keys: new Set() }
      known.keys.add(key)
      this.#results.set(hash, known)
    }
    for (const oldest of this.#entries.keys()) {
      if (this.#chars <= this.#maxChars) return
      this.forget(oldest)
    }
  }

  forget(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#chars -= entry.chars
    if (entry.outcome.kind !== 'done') return
    const { hash } = entry.outcome.result
    const keys = this.#results.get(hash)?.keys
    keys?.delete(key)
    if (keys?.size === 0) this.#results.delete(hash)
  }

  /** Forgets all jobs that came to these bytes. Gives their keys. */
  forgetResult(hash: BlobHash): readonly string[] {
    const keys = [...(this.#results.get(hash)?.keys ?? [])]
    for (const key of keys) this.forget(key)
    return keys
  }

  clear(): void {
    this.#entries.clear()
    this.#results.clear()
    this.#chars = 0
  }
}

const sizeOf = (headers: readonly (readonly [string, string])[]): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
