import { createHash } from 'node:crypto'
import type { Cancel } from '../../../core/index.ts'
import { createRandom, type Random } from '../../support/seeds.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  run: (() => void) | undefined
}

/** The real one, taken before the simulator puts a virtual one in its place. */
const realTurn = globalThis.setImmediate

/** When virtual time begins: a moment that is the same in every run. */
export const START_MS = 1_800_000_000_000

/**
 * Virtual time: the next event is run, then all promises that it settled, until nothing is left to do at this moment;
 * then time jumps to the next event. What happens, and in which order, depends on the seed alone.
 */
export class Scheduler {
  readonly random: Random
  readonly faults: string[] = []
  #nowMs = 0
  #order = 0
  #events = 0
  #stopped = false
  readonly #heap: Event[] = []
  readonly #trace = createHash('sha256')
  readonly #tell: ((line: string) => void) | undefined

  /** `tell` hears every line of the trace: for finding where two runs part. */
  constructor(seed: number, tell?: (line: string) => void) {
    this.random = createRandom(seed)
    this.#tell = tell
  }

  /** True time in milliseconds since the run began. No machine's clock shows it. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Events run so far. */
  get events(): number {
    return this.#events
  }

  get waiting(): number {
    return this.#heap.length
  }

  after(delayMs: number, run: () => void): Cancel {
    if (this.#stopped) return () => {}
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run }
    this.#push(event)
    return () => {
      event.run = undefined
    }
  }

  /** Nothing happens any more: a run that cannot be saved. */
  stop(): void {
    this.#heap.length = 0
    this.#stopped = true
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** Resolves after so much virtual time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve))
  }

  /** Writes down that something happened; the hash of all of it is what a seed must give again. */
  note(...facts: (string | number)[]): void {
    const line = `${this.#nowMs.toFixed(6)} ${facts.join(' ')}\n`
    this.#trace.update(line)
    this.#tell?.(line)
  }

  traceHash(): string {
    return this.#trace.copy().digest('hex')
  }

  /** Runs until virtual time `untilMs`, or until `isDone` holds after an event. Returns whether it came to hold. */
  async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<boolean> {
    await settle()
    for (;;) {
      if (isDone()) return true
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#pop()
      if (next.run === undefined) continue
      this.#nowMs = next.atMs
      this.#events++
      try {
        next.run()
      } catch (error) {
        this.faults.push(`thrown into the event loop: ${error instanceof Error ? error.stack : String(error)}`)
      }
      await settle()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
    return isDone()
  }

  /** Runs until a promise of something that needs virtual time is settled; throws what it rejects with. */
  async finish<T>(work: Promise<T>, withinMs = 600_000): Promise<T> {
    let settled = false
    const mark = () => {
      settled = true
    }
    work.then(mark, mark)
    if (!(await this.runUntil(this.#nowMs + withinMs, () => settled))) throw new Error('it took longer than it may')
    return await work
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as Event)) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Event
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
  }
}

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

/** Until all promises that can be settled without virtual time are. */
function settle(): Promise<void> {
  return new Promise((resolve) => realTurn(resolve))
}
