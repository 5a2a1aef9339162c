import type { Operation } from '../../core/index.ts'

/** An operation that a job of the present round takes in. */
export interface Staged {
  readonly operation: Operation
  /** In the store before: its heads were not. */
  readonly stored: boolean
}

interface Job {
  readonly origin: number | undefined
  readonly plan: (stage: Staged[]) => unknown
  readonly done: PromiseWithResolvers<unknown>
}

/** How many operations fill a round; between rounds, others have their turn. */
const MAX_ROUND = 500

/** What the jobs of one round staged, in the order in which they did. */
export interface Round {
  readonly jobs: readonly { readonly origin: number | undefined; readonly staged: readonly Staged[] }[]
}

/**
 * Runs jobs one after another, in rounds: all that wait are planned, then one `settle` makes what they staged durable.
 * So each plan sees those before it, and a crowd of writers shares one fsync. A plan that throws fails alone; a settle
 * that rejects fails the round.
 */
export class RoundQueue {
  readonly #settle: (round: Round) => Promise<void>
  readonly #waiting: Job[] = []
  #running: Promise<void> | undefined

  constructor(settle: (round: Round) => Promise<void>) {
    this.#settle = settle
  }

  /** Resolves with what the plan returned, when what it staged is settled. */
  run<T>(plan: (stage: Staged[]) => T, origin?: number): Promise<T> {
    const done = Promise.withResolvers<unknown>()
    this.#waiting.push({ origin, plan, done })
    this.#running ??= this.#work()
    return done.promise as Promise<T>
  }

  /** Resolves when no job is waiting or running. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #work(): Promise<void> {
    // Jobs that are handed in within one turn of the caller share the first round too.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const planned: { job: Job; staged: Staged[]; value: unknown }[] = []
      let count = 0
      for (
        let job = this.#waiting.shift();
        job !== undefined;
        job = count < MAX_ROUND ? this.#waiting.shift() : undefined
      ) {
        const staged: Staged[] = []
        try {
          planned.push({ job, staged, value: job.plan(staged) })
          count += staged.length
        } catch (error) {
          job.done.reject(error)
        }
      }
      try {
        await this.#settle({ jobs: planned.map(({ job, staged }) => ({ origin: job.origin, staged })) })
        for (const { job, value } of planned) job.done.resolve(value)
      } catch (error) {
        for (const { job } of planned) job.done.reject(error)
      }
    }
    this.#running = undefined
  }
}
