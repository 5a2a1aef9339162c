import type { Runtime } from '../../../core/index.ts'

/** Waits of one loop that works in the background: for a time, or for something to do. Closing ends all of them. */
export class Pauses {
  readonly #runtime: Pick<Runtime, 'after'>
  #isClosed = false
  /** Woken while nobody waited: the next wait ends at once. */
  #isWoken = false
  #end: () => void = () => {}
  #endSleep: () => void = () => {}

  constructor(runtime: Pick<Runtime, 'after'>) {
    this.#runtime = runtime
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  async pause(delayMs: number): Promise<void> {
    if (this.#isClosed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#end = resolve
    const cancel = this.#runtime.after(delayMs, resolve)
    await promise
    cancel()
  }

  async untilWoken(): Promise<void> {
    if (!this.#isClosed && !this.#isWoken) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#endSleep = resolve
      await promise
    }
    this.#isWoken = false
  }

  wake(): void {
    this.#isWoken = true
    this.#endSleep()
  }

  close(): void {
    this.#isClosed = true
    this.#end()
    this.#endSleep()
  }
}
