import { asMakiError, type Cancel, type Log, type Runtime } from '../../core/index.ts'
import type { ComponentTrouble, NodeComponents } from './components/index.ts'
import type { Edge, EdgeCounters } from './edge-messages.ts'

/** What went wrong lately at a node that answers; all 0 where nothing did. */
export interface Trouble {
  /** Requests that got 503 for being too many, of the last five minutes; with one digit that counts. */
  readonly refused: number
  /** Edge workers that ended unasked, of the last hour. */
  readonly workersDied: number
  /** Certificates that were opened and cannot be served. */
  readonly certificates: number
  /** Components of served releases that cannot be run here, each with its domain, its path and why; the first few. */
  readonly components: readonly string[]
}

/** Counters at one moment, in monotonic milliseconds. */
export interface TroubleSample {
  readonly atMs: number
  readonly refused: number
  readonly died: number
}

export interface TroubleOptions {
  readonly edge: Pick<Edge, 'counters'>
  readonly certificates: { readonly counts: { readonly unusable: number } }
  readonly components: Pick<NodeComponents, 'troubles'>
  readonly runtime: Pick<Runtime, 'monotonic' | 'after'>
  readonly log: Log
  /** What is said is another. */
  readonly changed: () => void
}

const LOOK_MS = 30_000
const REFUSED_MS = 5 * 60_000
const DIED_MS = 3_600_000
/** They travel to every node. */
const MOST_TOLD = 5
const MOST_LETTERS = 200
const NOTHING: Trouble = { refused: 0, workersDied: 0, certificates: 0, components: [] }

/** Looks once in a while whether the edge turns requests away, loses workers, or has certificates that nobody can be shown. */
export class TroubleWatch implements AsyncDisposable {
  readonly #options: TroubleOptions
  #samples: readonly TroubleSample[]
  #trouble = NOTHING
  #looking = Promise.resolve()
  #cancel: Cancel
  #isClosed = false

  constructor(options: TroubleOptions) {
    this.#options = options
    this.#samples = [{ atMs: options.runtime.monotonic(), refused: 0, died: 0 }]
    this.#cancel = this.#arm()
  }

  /** As of the last look. */
  get trouble(): Trouble {
    return this.#trouble
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#looking
  }

  #arm(): Cancel {
    return this.#options.runtime.after(LOOK_MS, () => {
      this.#looking = this.#look()
    })
  }

  async #look(): Promise<void> {
    const { edge, certificates, components, runtime, log, changed } = this.#options
    try {
      this.#samples = keepLately([...this.#samples, takeSample(await edge.counters(), runtime.monotonic())])
      const next = {
        ...countLately(this.#samples),
        certificates: certificates.counts.unusable,
        components: components.troubles().slice(0, MOST_TOLD).map(tellComponent),
      }
      const isNew = JSON.stringify(next) !== JSON.stringify(this.#trouble)
      this.#trouble = next
      if (isNew && !this.#isClosed) changed()
    } catch (error) {
      log.warn('trouble.unknown', { error: asMakiError(error) })
    }
    if (!this.#isClosed) this.#cancel = this.#arm()
  }
}

const tellComponent = ({ domain, path, message }: ComponentTrouble): string =>
  `${domain} ${path}: ${message}`.slice(0, MOST_LETTERS)

const takeSample = ({ http, workers }: EdgeCounters, atMs: number): TroubleSample => ({
  atMs,
  refused: http?.overloaded ?? 0,
  died: workers.died,
})

/** Without those that nothing is counted from any more; the last one from before the hour stays. */
function keepLately(samples: readonly TroubleSample[]): readonly TroubleSample[] {
  const sinceMs = (samples.at(-1)?.atMs ?? 0) - DIED_MS
  return samples.slice(
    Math.max(
      0,
      samples.findLastIndex(({ atMs }) => atMs <= sinceMs),
    ),
  )
}

/** What was counted until the last sample, oldest first; since the start where that is less long ago. */
export function countLately(samples: readonly TroubleSample[]): Pick<Trouble, 'refused' | 'workersDied'> {
  const last = samples.at(-1)
  if (last === undefined) return NOTHING
  const before = (spanMs: number) => samples.findLast(({ atMs }) => atMs <= last.atMs - spanMs) ?? samples[0] ?? last
  const refused = last.refused - before(REFUSED_MS).refused
  return { refused: roundToDigit(refused), workersDied: last.died - before(DIED_MS).died }
}

/** Each word travels to every node: 1234 and 1235 need not be two. */
function roundToDigit(count: number): number {
  if (count < 10) return count
  const step = 10 ** Math.floor(Math.log10(count))
  return Math.round(count / step) * step
}
