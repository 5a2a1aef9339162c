import type { Hostname } from '../../core/index.ts'
import type { GuestFailure } from '../guests/index.ts'

/** Upper bounds of the buckets, seconds. */
export const FUNCTION_BOUNDS_S: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/** Why a call came to nothing. `invalid`: its answer is none; `too-much`: its content is too large; `slow`: it came too slowly. */
export type CallFailure = GuestFailure | 'invalid' | 'too-much' | 'slow' | 'full' | 'gone'

/** Counted since a worker started; plain data, which crosses process boundaries and is added up there. */
export interface FunctionCounts {
  /** By domain and by the component's path, answers by the first digit of their status; index 0 and 1 stay empty. */
  readonly requests: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>
  /** From the call to its answer, content included. `buckets[i]`: up to bound i and above the one before; the last has the rest. */
  readonly durations: { readonly buckets: readonly number[]; readonly sum: number }
  readonly failures: Readonly<Record<string, number>>
  /** That guests of a domain used, seconds. */
  readonly cpuSeconds: Readonly<Record<string, number>>
}

/** What is not told apart any more. */
const OTHER = 'other'
const MAX_DOMAINS = 100
/** Of one domain, and of all. */
const MAX_FUNCTIONS = 50
const MAX_SERIES = 500

/** Counts calls of functions. How many labels there are is bounded, however many functions and domains. */
export class FunctionMetrics {
  readonly #requests = new Map<string, Map<string, number[]>>()
  readonly #buckets = FUNCTION_BOUNDS_S.map(() => 0).concat(0)
  readonly #failures = new Map<CallFailure, number>()
  readonly #cpuSeconds = new Map<string, number>()
  #series = 0
  #sum = 0

  /** A call has an answer. `path` is that of the component. */
  count(domain: Hostname, path: string, status: number, seconds: number): void {
    const statuses = this.#statusesOf(domain, path)
    const digit = Math.trunc(status / 100)
    statuses[digit] = (statuses[digit] ?? 0) + 1
    const at = FUNCTION_BOUNDS_S.findIndex((bound) => seconds <= bound)
    const bucket = at === -1 ? FUNCTION_BOUNDS_S.length : at
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#sum += seconds
  }

  failed(why: CallFailure): void {
    this.#failures.set(why, (this.#failures.get(why) ?? 0) + 1)
  }

  used(domain: Hostname, cpuMs: number): void {
    const name = this.#cpuSeconds.has(domain) || this.#cpuSeconds.size < MAX_DOMAINS ? domain : OTHER
    this.#cpuSeconds.set(name, (this.#cpuSeconds.get(name) ?? 0) + cpuMs / 1000)
  }

  snapshot(): FunctionCounts {
    return {
      requests: Object.fromEntries([...this.#requests].map(([domain, paths]) => [domain, Object.fromEntries(paths)])),
      durations: { buckets: [...this.#buckets], sum: this.#sum },
      failures: Object.fromEntries(this.#failures),
      cpuSeconds: Object.fromEntries(this.#cpuSeconds),
    }
  }

  #statusesOf(domain: string, path: string): number[] {
    const isKnown = this.#requests.has(domain)
    const name = isKnown || this.#requests.size < MAX_DOMAINS ? domain : OTHER
    const paths = this.#requests.get(name) ?? new Map<string, number[]>()
    this.#requests.set(name, paths)
    const isNew = !paths.has(path)
    const isFull = name === OTHER || paths.size >= MAX_FUNCTIONS || this.#series >= MAX_SERIES
    const label = isNew && isFull ? OTHER : path
    const known = paths.get(label)
    if (known !== undefined) return known
    const statuses = [0, 0, 0, 0, 0, 0]
    paths.set(label, statuses)
    this.#series++
    return statuses
  }
}
