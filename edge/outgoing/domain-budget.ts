import type { Runtime } from '../../core/index.ts'

/** What the guests of one domain may do in one process. */
export interface DomainLimits {
  /** Connections, requests and look-ups under way. */
  readonly maxOpen: number
  /** Of all domains together. */
  readonly maxOpenOfAll: number
  /** Begun: at once by who was quiet for a while, and in the long run. */
  readonly burst: number
  readonly perSecond: number
  /** In each direction. */
  readonly burstBytes: number
  readonly bytesPerSecond: number
}

export type Direction = 'received' | 'sent'

interface Use {
  open: number
  begun: Bucket
  received: Bucket
  sent: Bucket
}

interface Bucket {
  left: number
  atMs: number
}

/** Domains that are remembered; the one that was quiet for longest is forgotten, unless something of it is under way. */
const MOST_DOMAINS = 10_000

/** Counts what the guests of each domain have under way, and how fast they begin and move bytes (token buckets). */
export class DomainBudget {
  readonly #limits: DomainLimits
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #uses = new Map<string, Use>()
  #openOfAll = 0

  constructor(limits: DomainLimits, runtime: Pick<Runtime, 'monotonic'>) {
    this.#limits = limits
    this.#runtime = runtime
  }

  get open(): number {
    return this.#openOfAll
  }

  /** A place for something that begins, which must be given back once: the function does no more the second time. */
  take(domain: string): (() => void) | 'busy' | 'rate' {
    const use = this.#find(domain)
    const { maxOpen, maxOpenOfAll, burst, perSecond } = this.#limits
    if (use.open >= maxOpen || this.#openOfAll >= maxOpenOfAll) return 'busy'
    this.#refill(use.begun, burst, perSecond)
    if (use.begun.left < 1) return 'rate'
    use.begun.left--
    use.open++
    this.#openOfAll++
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      use.open--
      this.#openOfAll--
    }
  }

  /** Milliseconds to wait after so many bytes were moved; 0 for who is within the bounds. */
  move(domain: string, direction: Direction, bytes: number): number {
    const { burstBytes, bytesPerSecond } = this.#limits
    const bucket = this.#find(domain)[direction]
    this.#refill(bucket, burstBytes, bytesPerSecond)
    bucket.left -= bytes
    return bucket.left >= 0 ? 0 : Math.ceil((-bucket.left / bytesPerSecond) * 1000)
  }

  #find(domain: string): Use {
    const atMs = this.#runtime.monotonic()
    const { burst, burstBytes } = this.#limits
    const use = this.#uses.get(domain) ?? {
      open: 0,
      begun: { left: burst, atMs },
      received: { left: burstBytes, atMs },
      sent: { left: burstBytes, atMs },
    }
    this.#uses.delete(domain)
    this.#uses.set(domain, use)
    if (this.#uses.size > MOST_DOMAINS) this.#forget()
    return use
  }

  #forget(): void {
    for (const [domain, { open }] of this.#uses) {
      if (open > 0) continue
      this.#uses.delete(domain)
      return
    }
  }

  #refill(bucket: Bucket, burst: number, perSecond: number): void {
    const atMs = this.#runtime.monotonic()
    bucket.left = Math.min(burst, bucket.left + ((atMs - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = atMs
  }
}
