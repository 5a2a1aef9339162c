import type { Runtime } from '../../core/index.ts'

export interface BucketSize {
  /** Taken at once by somebody who was not here for long. */
  readonly burst: number
  readonly perSecond: number
}

interface Bucket {
  left: number
  atMs: number
}

/** Buckets that are remembered; the one that was asked for longest ago gives way. */
const MOST = 10_000

/** A token bucket for each name (GCRA would do as well); memory is bounded whatever names come. */
export class MissBudget {
  readonly #size: BucketSize
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #buckets = new Map<string, Bucket>()

  constructor(size: BucketSize, runtime: Pick<Runtime, 'monotonic'>) {
    this.#size = size
    this.#runtime = runtime
  }

  /** 0 where there is a token, which `take` then takes; else the seconds until there will be one. */
  waitS(name: string): number {
    const { left } = this.#refill(name)
    return left >= 1 ? 0 : Math.ceil((1 - left) / this.#size.perSecond)
  }

  take(name: string): void {
    this.#refill(name).left--
  }

  #refill(name: string): Bucket {
    const { burst, perSecond } = this.#size
    const atMs = this.#runtime.monotonic()
    const known = this.#buckets.get(name)
    const left = known === undefined ? burst : Math.min(burst, known.left + ((atMs - known.atMs) / 1000) * perSecond)
    const bucket = { left, atMs }
    this.#buckets.delete(name)
    this.#buckets.set(name, bucket)
    if (this.#buckets.size > MOST) this.#buckets.delete(this.#buckets.keys().next().value as string)
    return bucket
  }
}
