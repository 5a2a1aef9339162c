import type { Runtime, TransformValue } from '../../core/index.ts'
import { FailureMemory } from './failure-memory.ts'
import type { StepFailure } from './run-steps.ts'
import type { TransformJob } from './transform-job.ts'

/** No fault of the component: it is tried again soon. */
const SOON: ReadonlySet<StepFailure> = new Set(['busy', 'closed'])
const SOON_MS = 1_000
/** Files one after another that a component failed at, after which it is left alone for all others too. */
const MOST_IN_A_ROW = 8
/** A result that is lost so soon again is not made once more at once: the disk does not keep it. */
const LOST_AGAIN_MS = 10 * 60_000
const MAX_REMEMBERED = 1000

/** Which jobs and components are left alone for a while, and for how long. */
export class Troubles {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #jobs: FailureMemory
  readonly #components: FailureMemory
  readonly #inARow = new Map<string, number>()
  /** When the result of a job was lost last. */
  readonly #lost = new Map<string, number>()

  constructor(runtime: Pick<Runtime, 'monotonic'>) {
    this.#runtime = runtime
    this.#jobs = new FailureMemory(runtime)
    this.#components = new FailureMemory(runtime)
  }

  /** The job itself failed a short while ago. */
  has({ key }: Pick<TransformJob, 'key'>): boolean {
    return this.#jobs.has(key)
  }

  /** One of its components fails at whatever it is given. */
  hasComponentOf({ domain, steps }: TransformJob): boolean {
    return steps.some((step) => this.#components.has(nameOf(domain, step)))
  }

  /** Gives for how many milliseconds the job is left alone; `step` is the one that failed. */
  failed({ key, domain }: TransformJob, why: StepFailure, step: TransformValue): number {
    if (SOON.has(why)) return this.#jobs.note(key, SOON_MS)
    const name = nameOf(domain, step)
    const count = (this.#inARow.get(name) ?? 0) + 1
    if (this.#inARow.size >= MAX_REMEMBERED) this.#inARow.clear()
    this.#inARow.set(name, count)
    if (count >= MOST_IN_A_ROW) this.#components.note(name)
    return this.#jobs.note(key)
  }

  /** The disk or we ourselves are to blame; `soon` where that is likely to pass. */
  stumbled({ key }: TransformJob, soon: boolean): void {
    this.#jobs.note(key, soon ? SOON_MS : undefined)
  }

  succeeded({ key, domain, steps }: TransformJob): void {
    this.#jobs.forget(key)
    for (const name of steps.map((step) => nameOf(domain, step)))
      if (this.#inARow.delete(name)) this.#components.forget(name)
  }

  /** The result of a job of this key turned out to be gone. */
  lost(key: string): void {
    const nowMs = this.#runtime.monotonic()
    const lastMs = this.#lost.get(key)
    if (lastMs !== undefined && nowMs - lastMs < LOST_AGAIN_MS) this.#jobs.note(key)
    if (this.#lost.size >= MAX_REMEMBERED) this.#lost.clear()
    this.#lost.set(key, nowMs)
  }

  clear(): void {
    this.#jobs.clear()
    this.#components.clear()
    this.#inARow.clear()
  }
}

/** What one domain's component does is no reason to leave that of another alone, be it the same one. */
const nameOf = (domain: string, { component, path }: TransformValue): string => `${component} ${domain} ${path}`
