import type { Runtime } from '../../core/index.ts'

interface Failure {
  readonly count: number
  readonly untilMs: number
}

const FIRST_MS = 5_000
const MOST_MS = 10 * 60_000
const MAX_NAMES = 10_000

/** What failed is left alone for a while: five seconds at first, twice as long each time, ten minutes at most. */
export class FailureMemory {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  /** The oldest failure comes first. */
  readonly #failures = new Map<string, Failure>()

  constructor(runtime: Pick<Runtime, 'monotonic'>) {
    this.#runtime = runtime
  }

  /** It failed a short while ago. */
  has(name: string): boolean {
    return (this.#failures.get(name)?.untilMs ?? 0) > this.#runtime.monotonic()
  }

  /** It failed. Gives for how long it is left alone now, in milliseconds; `forMs` where that does not grow. */
  note(name: string, forMs?: number): number {
    const before = this.#failures.get(name)?.count ?? 0
    const delayMs = forMs ?? Math.min(MOST_MS, FIRST_MS * 2 ** before)
    this.#failures.delete(name)
    const count = forMs === undefined ? before + 1 : before
    this.#failures.set(name, { count, untilMs: this.#runtime.monotonic() + delayMs })
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MAX_NAMES) break
      this.#failures.delete(oldest)
    }
    return delayMs
  }

  forget(name: string): void {
    this.#failures.delete(name)
  }

  clear(): void {
    this.#failures.clear()
  }
}
