/** What may be answered while somebody writes: everything that was true at one moment between question and answer. */

/** What one name says: an address, or the code of an answer that has none. */
export type Said = string

interface History {
  /** In the order of writing. */
  readonly values: Said[]
  /** From that value on all workers have it: an older one is wrong from then on. */
  settled: number
}

/**
 * The values of names over time. A value may be answered from when it is handed in, and no longer when a later one has
 * reached every worker.
 */
export class KnownValues {
  readonly #histories = new Map<string, History>()

  /** Names whose value is settled at the start. */
  constructor(values: Iterable<readonly [name: string, said: Said]>) {
    for (const [name, said] of values) this.#histories.set(name, { values: [said], settled: 0 })
  }

  get names(): readonly string[] {
    return [...this.#histories.keys()]
  }

  /** Before it is handed in. */
  write(name: string, said: Said): void {
    this.#of(name).values.push(said)
  }

  /** Notes what is written by now; call the result when all workers have it. */
  mark(): () => void {
    const written = [...this.#histories].map(([name, { values }]) => [name, values.length - 1] as const)
    return () => {
      for (const [name, index] of written) {
        const history = this.#of(name)
        history.settled = Math.max(history.settled, index)
      }
    }
  }

  /** How many values were written. */
  get written(): number {
    let count = 0
    for (const { values } of this.#histories.values()) count += values.length - 1
    return count
  }

  /** The least value that is not wrong from now on. */
  oldest(name: string): number {
    return this.#of(name).settled
  }

  /** Which of the values from `oldest` to the newest it is; undefined for one that none of them is. */
  find(name: string, oldest: number, said: Said): number | undefined {
    const index = this.#of(name).values.indexOf(said, oldest)
    return index === -1 ? undefined : index
  }

  newest(name: string): Said {
    return this.#of(name).values.at(-1) as Said
  }

  #of(name: string): History {
    const history = this.#histories.get(name)
    if (history === undefined) throw new RangeError(`nobody knows ${name}`)
    return history
  }
}
