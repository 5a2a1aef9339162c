/**
 * Seeds for property tests: `SEED=7` replays one, `SEEDS=1000` runs more. The seed belongs in the title of the test
 * that it drives.
 */
export function seeds(count: number): number[] {
  const only = process.env.SEED
  if (only !== undefined) return [Number(only)]
  const many = process.env.SEEDS === undefined ? count : Number(process.env.SEEDS)
  return Array.from({ length: many }, (_, i) => i + 1)
}

/** mulberry32: small, fast, good enough to choose test cases; uniform in [0, 1). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (below: number) => Math.floor(next() * below)
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => items[integer(items.length)] as (typeof items)[number],
    bytes: (length) => Uint8Array.from({ length }, () => integer(256)),
    shuffle(items) {
      const copy = [...items]
      for (let i = copy.length - 1; i > 0; i--) {
        const j = integer(i + 1)
        ;[copy[i], copy[j]] = [copy[j] as (typeof copy)[number], copy[i] as (typeof copy)[number]]
      }
      return copy
    },
  }
}

export interface Random {
  next(): number
  integer(below: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  bytes(length: number): Uint8Array
  shuffle<T>(items: readonly T[]): T[]
}
