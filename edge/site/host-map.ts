type Bucket<Value> = ReadonlyMap<string, Value>

/** A change copies one bucket and the list of them: a few microseconds, with ten names or ten thousand. */
const BUCKET_NAMES = 16

/** Names -> values; immutable. A change makes another map, which shares with this one all that it does not touch. */
export class HostMap<Value> {
  static readonly empty: HostMap<never> = new HostMap<never>([new Map<string, never>()], 0)

  readonly size: number
  readonly #buckets: readonly Bucket<Value>[]

  private constructor(buckets: readonly Bucket<Value>[], size: number) {
    this.#buckets = buckets
    this.size = size
  }

  get(name: string): Value | undefined {
    return this.#buckets[indexOf(name, this.#buckets.length)]?.get(name)
  }

  *keys(): Generator<string> {
    for (const bucket of this.#buckets) yield* bucket.keys()
  }

  /** A map in which each of `changes` (undefined: none any more) replaces what its name had. */
  with(changes: Iterable<readonly [string, Value | undefined]>): HostMap<Value> {
    const buckets: Bucket<Value>[] = [...this.#buckets]
    const own = new Map<number, Map<string, Value>>()
    let { size } = this
    for (const [name, value] of changes) {
      const index = indexOf(name, buckets.length)
      const bucket = own.get(index) ?? new Map(buckets[index])
      own.set(index, bucket)
      buckets[index] = bucket
      size -= bucket.size
      if (value === undefined) bucket.delete(name)
      else bucket.set(name, value)
      size += bucket.size
    }
    return new HostMap(size > buckets.length * BUCKET_NAMES * 4 ? spread(buckets, size) : buckets, size)
  }
}

function spread<Value>(buckets: readonly Bucket<Value>[], size: number): readonly Bucket<Value>[] {
  let count = buckets.length
  while (size > count * BUCKET_NAMES) count *= 2
  const wider = Array.from({ length: count }, () => new Map<string, Value>())
  for (const bucket of buckets)
    for (const [name, value] of bucket) (wider[indexOf(name, count)] as Map<string, Value>).set(name, value)
  return wider
}

/** FNV-1a; `count` is a power of two. Names are those of owners, so it need not be secret. */
function indexOf(name: string, count: number): number {
  if (count === 1) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & (count - 1)
}
