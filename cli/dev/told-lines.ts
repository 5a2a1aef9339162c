import type { Runtime } from '../../core/index.ts'

/** A line of a node's log. */
export type LogLine = Readonly<Record<string, unknown>>

/** A line that is worth a person's eye, with the number of those before it that were left out since there were too many. */
export interface ToldLine {
  readonly line: LogLine
  readonly lost: number
}

/** What components of the project say and do. */
const TOLD: ReadonlySet<unknown> = new Set([
  'component.not-ready',
  'component.unfit',
  'function.answer-invalid',
  'function.call-failed',
  'function.failed',
  'function.headers-dropped',
  'function.printed',
  'guest.refused',
  'log.lines-lost',
  'transforms.failed',
])
/** Of all nodes together; a terminal that scrolls faster is not read. */
const BURST_LINES = 200
const LINES_PER_SECOND = 20
/** Components whose faults are remembered, since every node tells of each. */
const MAX_COMPONENTS = 1000

/** Chooses the lines of the nodes' logs that `maki dev` prints: what components print, and what goes wrong with them. */
export class ToldLines {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #unfit = new Set<unknown>()
  #allowed = BURST_LINES
  #atMs: number
  #lost = 0

  constructor(runtime: Pick<Runtime, 'monotonic'>) {
    this.#runtime = runtime
    this.#atMs = runtime.monotonic()
  }

  /** Undefined for a line that is not told. */
  take(line: LogLine): ToldLine | undefined {
    if (!TOLD.has(line.event) || this.#isRepeated(line)) return undefined
    const nowMs = this.#runtime.monotonic()
    this.#allowed = Math.min(BURST_LINES, this.#allowed + ((nowMs - this.#atMs) / 1000) * LINES_PER_SECOND)
    this.#atMs = nowMs
    if (this.#allowed < 1) {
      this.#lost++
      return undefined
    }
    this.#allowed--
    const lost = this.#lost
    this.#lost = 0
    return { line, lost }
  }

  #isRepeated({ event, component }: LogLine): boolean {
    if (event !== 'component.unfit' && event !== 'component.not-ready') return false
    if (this.#unfit.has(component)) return true
    if (this.#unfit.size >= MAX_COMPONENTS) this.#unfit.clear()
    this.#unfit.add(component)
    return false
  }
}
