import type { Cancel, Runtime } from '../../core/index.ts'
import type { GuestProcess } from './guest-process.ts'

/** A process between two runs. */
interface Settling {
  readonly key: string
  claim: ((process: GuestProcess | undefined) => void) | undefined
}

interface Idle {
  readonly key: string
  readonly process: GuestProcess
  readonly cancel: Cancel
}

/** Processes that belong to a guest and run nothing: those that rest, and those that are about to. */
export class ProcessShelf {
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #idleMs: number
  /** The one that rested last comes last. */
  #idle: Idle[] = []
  readonly #settling = new Set<Settling>()

  /** One that rests for `idleMs` is ended. */
  constructor(idleMs: number, runtime: Pick<Runtime, 'after'>) {
    this.#idleMs = idleMs
    this.#runtime = runtime
  }

  /** A process has ended its run; `mayGoOn` resolves when it is ready for another, with false where it never will be. */
  async settle(key: string, process: GuestProcess, mayGoOn: Promise<boolean>): Promise<void> {
    const settling: Settling = { key, claim: undefined }
    this.#settling.add(settling)
    const isReady = await mayGoOn
    this.#settling.delete(settling)
    if (settling.claim !== undefined) settling.claim(isReady ? process : undefined)
    else if (isReady) this.rest(key, process)
  }

  /** It lies ready for the guest of this key. */
  rest(key: string, process: GuestProcess): void {
    const cancel = this.#runtime.after(this.#idleMs, () => {
      this.#idle = this.#idle.filter((idle) => idle.process !== process)
      void process.close()
    })
    this.#idle.push({ key, process, cancel })
  }

  /** Those that rest. */
  get size(): number {
    return this.#idle.length
  }

  has(key: string): boolean {
    return this.#idle.some((idle) => idle.key === key)
  }

  /** A process of this guest: one that rests, or one that is about to, which is waited for. Undefined where there is none. */
  async take(key: string): Promise<GuestProcess | undefined> {
    // The one that rested last: the others end by themselves when they are not needed.
    for (let at = this.#find(key); at !== -1; at = this.#find(key)) {
      const [idle] = this.#idle.splice(at, 1)
      idle?.cancel()
      if (idle !== undefined && !idle.process.hasEnded) return idle.process
    }
    for (const settling of this.#settling) {
      if (settling.key !== key || settling.claim !== undefined) continue
      const taken = await new Promise<GuestProcess | undefined>((resolve) => {
        settling.claim = resolve
      })
      if (taken !== undefined) return taken
    }
    return undefined
  }

  /** Ends the one that has rested longest; false where none does. */
  endOldest(): boolean {
    const idle = this.#idle.shift()
    if (idle === undefined) return false
    idle.cancel()
    void idle.process.close()
    return true
  }

  /** Nothing is ended for having rested any more. */
  clear(): void {
    for (const { cancel } of this.#idle.splice(0)) cancel()
  }

  #find(key: string): number {
    return this.#idle.findLastIndex((idle) => idle.key === key)
  }
}
