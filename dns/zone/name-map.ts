import type { NameKey } from '../wire/index.ts'

/** Buckets hold so many names on average when they are made, and four times as many at most. */
const BUCKET_NAMES = 32

type Bucket<Value> = Map<NameKey, Value>

/**
 * A map from names that is never written to: a change makes another one, which shares all buckets with it but those that
 * changed. So a zone of 100,000 names costs a change of one name no more than a small one.
 */
export class NameMap<Value> {
  readonly #buckets: readonly Bucket<Value>[]
  readonly size: number

  private constructor(buckets: readonly Bucket<Value>[], size: number) {
    this.#buckets = buckets
    this.size = size
  }

  static empty<Value>(): NameMap<Value> {
    return new NameMap<Value>([new Map()], 0)
  }

  get(name: NameKey): Value | undefined {
    return bucketOf(this.#buckets, name).get(name)
  }

  *[Symbol.iterator](): Generator<[NameKey, Value]> {
    for (const bucket of this.#buckets) yield* bucket
  }

  /** A copy to write to; `done` makes it immutable again. */
  edit(): NameMapEdit<Value> {
    return new NameMapEdit(this.#buckets, this.size, (buckets, size) => new NameMap(buckets, size))
  }
}

/** A map in the making. What it was made from stays as it is. */
export class NameMapEdit<Value> {
  #buckets: Bucket<Value>[]
  /** Buckets that nobody else holds. */
  #own: Set<number>
  #size: number
  readonly #make: (buckets: readonly Bucket<Value>[], size: number) => NameMap<Value>

  constructor(
    buckets: readonly Bucket<Value>[],
    size: number,
    make: (buckets: readonly Bucket<Value>[], size: number) => NameMap<Value>,
  ) {
    this.#buckets = [...buckets]
    this.#own = new Set()
    this.#size = size
    this.#make = make
  }

  get(name: NameKey): Value | undefined {
    return bucketOf(this.#buckets, name).get(name)
  }

  set(name: NameKey, value: Value): void {
    const bucket = this.#open(name)
    const before = bucket.size
    bucket.set(name, value)
    if (bucket.size === before) return
    this.#size += 1
    if (this.#size > this.#buckets.length * BUCKET_NAMES * 4) this.#spread()
  }

  delete(name: NameKey): void {
    if (this.get(name) !== undefined && this.#open(name).delete(name)) this.#size -= 1
  }

  done(): NameMap<Value> {
    return this.#make(this.#buckets, this.#size)
  }

  #open(name: NameKey): Bucket<Value> {
    const index = indexOf(name, this.#buckets.length)
    const bucket = this.#buckets[index] as Bucket<Value>
    if (this.#own.has(index)) return bucket
    const copy = new Map(bucket)
    this.#buckets[index] = copy
    this.#own.add(index)
    return copy
  }

  #spread(): void {
    const before = this.#buckets
    const count = before.length * 4
    this.#buckets = Array.from({ length: count }, () => new Map())
    this.#own = new Set(this.#buckets.keys())
    for (const bucket of before) {
      for (const [name, value] of bucket) (this.#buckets[indexOf(name, count)] as Bucket<Value>).set(name, value)
    }
  }
}

function bucketOf<Value>(buckets: readonly Bucket<Value>[], name: NameKey): Bucket<Value> {
  return buckets[indexOf(name, buckets.length)] as Bucket<Value>
}

/** FNV-1a; `count` is a power of two. Owners write the names of their own zones only, so it need not be secret. */
function indexOf(name: NameKey, count: number): number {
  if (count === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & (count - 1)
}
