import type { Runtime } from '../../core/index.ts'

export interface RepublishOptions {
  /** Never called while an earlier call has not settled. Must not reject: it tells of its own errors. */
  readonly publish: () => Promise<void>
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  /** How long nothing must have happened; an editor or a build writes many files at once. */
  readonly quietMs?: number
  /** Publishes after this time although files go on changing. */
  readonly patienceMs?: number
}

const QUIET_MS = 100
const PATIENCE_MS = 2000

/**
 * Publishes after changes have come to rest, one publication at a time; what changes meanwhile is published after it.
 * Disposing waits for the one under way.
 */
export class Republisher implements AsyncDisposable {
  readonly #options: RepublishOptions
  #firstChangeMs: number | undefined
  #cancel: (() => void) | undefined
  #running: Promise<void> | undefined
  #changedMeanwhile = false
  #closed = false

  constructor(options: RepublishOptions) {
    this.#options = options
  }

  /** Something changed. */
  touch(): void {
    if (this.#closed) return
    if (this.#running !== undefined) {
      this.#changedMeanwhile = true
      return
    }
    const { runtime, quietMs = QUIET_MS, patienceMs = PATIENCE_MS } = this.#options
    const now = runtime.monotonic()
    this.#firstChangeMs ??= now
    this.#cancel?.()
    const delayMs = Math.min(quietMs, Math.max(0, this.#firstChangeMs + patienceMs - now))
    this.#cancel = runtime.after(delayMs, () => void this.run())
  }

  /** Publishes now, or joins in when it does already. Resolves when that is done. */
  run(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    this.#firstChangeMs = undefined
    if (this.#closed) return Promise.resolve()
    this.#running ??= this.#publish()
    return this.#running
  }

  async #publish(): Promise<void> {
    try {
      await this.#options.publish()
    } finally {
      this.#running = undefined
      if (this.#changedMeanwhile) {
        this.#changedMeanwhile = false
        this.touch()
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#running
  }
}
