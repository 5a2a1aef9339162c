import type { Cancel, Runtime } from '../../core/index.ts'

/** No wait is longer, but for what came during another: some twenty times what an update takes to be everywhere. */
export const LONGEST_WAIT_MS = 20_000
/** Of so many replicas that lack one slot, few give it one. The number grows the wait of the others by little. */
const MOST_REPLICAS = 10_000
/** As many are entered at a time: each is told to all links at once. */
const MAX_AT_ONCE = 1024

/**
 * Stored operations that stand in no slot of the document, though this replica is not where they were made or handed in:
 * those of a seed file, those that came by id, and those that a start found without one. Every replica has these at
 * about the same time; if each entered them at once, the document would hold each as many times as there are nodes.
 *
 * So they wait, and are entered only if no peer's slot for them came meanwhile. The waits are drawn as those of
 * receivers that suppress each other's feedback (RFC 4654, section 2.5.1): most are long and very few short, so that
 * however many wait, one of them is early enough for the others to hear of it. With nobody to hear, nothing is entered.
 */
export class LateEntries {
  readonly #runtime: Pick<Runtime, 'random' | 'after'>
  readonly #enter: (sequences: readonly number[]) => void
  /** By sequence number of the store. */
  #waiting: number[] = []
  #next: number[] = []
  #met = false
  #cancel: Cancel | undefined

  /** `enter` is given what waited long enough, in the order in which it came, and passes over what has a slot by then. */
  constructor(runtime: Pick<Runtime, 'random' | 'after'>, enter: (sequences: readonly number[]) => void) {
    this.#runtime = runtime
    this.#enter = enter
  }

  add(sequences: Iterable<number>): void {
    this.#next.push(...sequences)
    this.#begin()
  }

  /** A peer is here: it may bring slots, and hears of ours. */
  meet(): void {
    this.#met = true
    this.#begin()
  }

  /** Enters nothing any more. */
  close(): void {
    this.#cancel?.()
    this.#met = false
    this.#next = []
  }

  #begin(): void {
    if (!this.#met || this.#cancel !== undefined || this.#next.length === 0) return
    this.#waiting = this.#next.splice(0, MAX_AT_ONCE)
    this.#cancel = this.#runtime.after(drawWaitMs(this.#runtime.random()), () => {
      this.#cancel = undefined
      this.#enter(this.#waiting)
      this.#waiting = []
      this.#begin()
    })
  }
}

/** For a `chance` that is uniform in [0, 1): one in `MOST_REPLICAS` waits not at all. */
function drawWaitMs(chance: number): number {
  return Math.max(0, LONGEST_WAIT_MS * (1 + Math.log(1 - chance) / Math.log(MOST_REPLICAS)))
}
