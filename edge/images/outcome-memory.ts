import type { Runtime } from '../../core/index.ts'
import type { ImageOutcome } from './image-outcome.ts'

interface Kept {
  readonly outcome: ImageOutcome
  readonly bytes: number
  readonly untilMs: number
}

/** What an entry costs beside its bytes, refusals too. */
const ENTRY_BYTES = 500

/** Outcomes in memory, least recently used first; never more than `maxBytes` of them. */
export class OutcomeMemory {
  readonly #maxBytes: number
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(maxBytes: number, runtime: Pick<Runtime, 'monotonic'>) {
    this.#maxBytes = maxBytes
    this.#runtime = runtime
  }

  get bytes(): number {
    return this.#bytes
  }

  find(key: string): ImageOutcome | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#kept.delete(key)
    if (kept.untilMs < this.#runtime.monotonic()) {
      this.#bytes -= kept.bytes
      return undefined
    }
    this.#kept.set(key, kept)
    return kept.outcome
  }

  /** One that would take more than an eighth of the whole is not kept: it would push out all others. */
  keep(key: string, outcome: ImageOutcome, forMs = Number.POSITIVE_INFINITY): void {
    const bytes = ENTRY_BYTES + (outcome.kind === 'done' ? outcome.bytes.length : 0)
    if (bytes > this.#maxBytes / 8) return
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
    this.#kept.set(key, { outcome, bytes, untilMs: this.#runtime.monotonic() + forMs })
    this.#bytes += bytes
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= this.#maxBytes) return
      this.#kept.delete(oldest)
      this.#bytes -= bytes
    }
  }
}
