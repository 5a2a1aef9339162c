import type { Cancel } from '../../../core/index.ts'
import { eventually } from '../../support/eventually.ts'

/** One timer of code that sets it again after each look at the disk. */
export class ManualTimer {
  #call: (() => void) | undefined

  /** Timers that are set. */
  get waiting(): number {
    return this.#call === undefined ? 0 : 1
  }

  after = (_delayMs: number, call: () => void): Cancel => {
    this.#call = call
    return () => {
      if (this.#call === call) this.#call = undefined
    }
  }

  /** Lets the time come, and waits until it is set again. */
  async fire(): Promise<void> {
    const call = this.#call
    this.#call = undefined
    call?.()
    await eventually('the next timer', () => this.#call)
  }
}
