import type { Hostname } from '../../core/index.ts'

/** What a request came by. */
export type Protocol = 'http/1.1' | 'h2'

export const PROTOCOLS: readonly Protocol[] = ['http/1.1', 'h2']
/** Others are one: a client may make up as many as it likes. */
export const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'other'] as const
/** The first digits of statuses. */
export const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
/** Domains that are not told apart, and requests that reached none. */
export const OTHER_DOMAIN = 'other'

/** Upper bounds of the buckets, seconds. */
export const DURATION_BOUNDS_S: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]
/** Upper bounds of the buckets, bytes of body: 1 KiB to 1 GiB, each four times the one before. */
export const SIZE_BOUNDS_BYTES: readonly number[] = Array.from({ length: 11 }, (_, i) => 1024 * 4 ** i)

/** Counts in buckets: `buckets[i]` are those up to bound i and above the one before; the last has what is above all. */
export interface Histogram {
  readonly buckets: readonly number[]
  readonly sum: number
}

/** Counted since a worker started; plain data, which crosses process boundaries and is added up there. */
export interface RequestCounts {
  /** By domain; in each, the place of a combination is `placeOf` it. */
  readonly requests: Readonly<Record<string, readonly number[]>>
  /** By protocol. */
  readonly durations: readonly Histogram[]
  readonly sizes: readonly Histogram[]
}

/** So many domains are told apart by one worker; a domain that is seen first later is `other` for good. */
const MAX_DOMAINS = 100
const PLACES = METHODS.length * STATUS_CLASSES.length * PROTOCOLS.length

/** Where a domain's requests of a method, class of status and protocol are counted. */
export function placeOf(method: number, statusClass: number, protocol: number): number {
  return (method * STATUS_CLASSES.length + statusClass) * PROTOCOLS.length + protocol
}

/**
 * Counts answered requests: a look at a map and additions into arrays, nothing made for a request. What labels it has is
 * bounded, whatever clients send.
 */
export class RequestMetrics {
  readonly #domains = new Map<string, Float64Array>([[OTHER_DOMAIN, new Float64Array(PLACES)]])
  readonly #durations = PROTOCOLS.map(() => new Float64Array(DURATION_BOUNDS_S.length + 2))
  readonly #sizes = PROTOCOLS.map(() => new Float64Array(SIZE_BOUNDS_BYTES.length + 2))

  /** `bytes`: of the body that was sent. `domain`: whose site answered; undefined where none did. */
  count(
    domain: Hostname | undefined,
    method: string,
    status: number,
    protocol: Protocol,
    seconds: number,
    bytes: number,
  ): void {
    const by = protocol === 'h2' ? 1 : 0
    const statusClass = status >= 100 && status < 600 ? Math.trunc(status / 100) - 1 : 4
    const counts = this.#countsOf(domain)
    const place = placeOf(methodAt(method), statusClass, by)
    counts[place] = (counts[place] as number) + 1
    note(this.#durations[by] as Float64Array, DURATION_BOUNDS_S, seconds)
    note(this.#sizes[by] as Float64Array, SIZE_BOUNDS_BYTES, bytes)
  }

  snapshot(): RequestCounts {
    return {
      requests: Object.fromEntries([...this.#domains].map(([domain, counts]) => [domain, [...counts]])),
      durations: this.#durations.map(readHistogram),
      sizes: this.#sizes.map(readHistogram),
    }
  }

  #countsOf(domain: Hostname | undefined): Float64Array {
    const other = this.#domains.get(OTHER_DOMAIN) as Float64Array
    if (domain === undefined) return other
    const known = this.#domains.get(domain)
    if (known !== undefined) return known
    if (this.#domains.size > MAX_DOMAINS) return other
    const fresh = new Float64Array(PLACES)
    this.#domains.set(domain, fresh)
    return fresh
  }
}

/** A row has its buckets, one for what is above all bounds, and the sum. */
function note(row: Float64Array, bounds: readonly number[], value: number): void {
  let at = 0
  while (at < bounds.length && value > (bounds[at] as number)) at++
  row[at] = (row[at] as number) + 1
  const sum = bounds.length + 1
  row[sum] = (row[sum] as number) + value
}

function readHistogram(row: Float64Array): Histogram {
  return { buckets: [...row.subarray(0, -1)], sum: row.at(-1) as number }
}

function methodAt(method: string): number {
  switch (method) {
    case 'GET':
      return 0
    case 'HEAD':
      return 1
    case 'OPTIONS':
      return 2
    case 'POST':
      return 3
    default:
      return 4
  }
}
