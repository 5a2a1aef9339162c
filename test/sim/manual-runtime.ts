import type { Runtime } from '../../core/index.ts'
import { createRandom, type Random } from '../support/seeds.ts'

/** Time that stands still until it is told to pass; chance from a seed. Timers due together run in order of their time. */
export class ManualRuntime implements Runtime {
  #nowMs: number
  readonly #startMs: number
  readonly #random: Random
  #timers: { atMs: number; call: () => void }[] = []

  constructor(seed: number, nowMs = 1_800_000_000_000) {
    this.#random = createRandom(seed)
    this.#nowMs = nowMs
    this.#startMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs
  }

  random(): number {
    return this.#random.next()
  }

  randomBytes(length: number): Uint8Array {
    return this.#random.bytes(length)
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  get timers(): number {
    return this.#timers.length
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.atMs <= untilMs)
        .sort((a, b) => a.atMs - b.atMs)
        .at(0)
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = next.atMs
      next.call()
    }
    this.#nowMs = untilMs
  }
}

/** Lets sockets work, and a little time pass with each turn, until something is true. */
export async function until(runtime: ManualRuntime, isTrue: () => boolean, stepMs = 5): Promise<void> {
  while (!isTrue()) {
    await new Promise((resolve) => setImmediate(resolve))
    runtime.advance(stepMs)
  }
}
