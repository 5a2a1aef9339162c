import { asMakiError, type Cancel } from '../../core/index.ts'
import { createStyle, isInteractive, type Style } from '../output/style.ts'
import { cutToWidth } from '../output/table.ts'
import { plainLine } from '../output/text.ts'
import type { Host } from '../program/host.ts'

export type StepState = 'done' | 'same' | 'warned' | 'failed'

/**
 * What happens to a step: it begins, says how far it is as often as it likes, and ends in one way. `same`: nothing was to
 * be done. A name is a person's words, and one step at a time has it.
 */
export interface StepEvent {
  readonly step: string
  readonly state: 'begun' | 'running' | StepState
  /** How far it is, what was done, or why it warned or failed. */
  readonly detail?: string | undefined
}

/** A step that has ended, as `--json` has it. */
export interface EndedStep {
  readonly step: string
  readonly state: StepState
  readonly detail: string | null
}

/** For the work of a step: says how it ends where that is not simply `done`. */
export interface StepHandle {
  /** How far it is. */
  progress(detail: string): void
  /** What was done, for its line. */
  say(detail: string): void
  /** Nothing was to be done. */
  same(detail?: string): void
  /** It is done, and a person should look at this. */
  warn(detail: string): void
}

const INTERRUPTED = 'interrupted'
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const
const FRAME_MS = 100
const MARKS = { done: '✓', same: '=', warned: '!', failed: '✗' } as const

/**
 * Tells on stderr what is done: a line for each step that has ended and, on a terminal, one that is redrawn while steps run.
 * Silent with `quiet` (`--json`), where `ended` is printed at the end. Several may run at once.
 */
export class StepList implements Disposable {
  readonly #host: Host
  readonly #isQuiet: boolean
  readonly #prefix: string
  readonly #style: Style
  readonly #running = new Map<string, string | undefined>()
  readonly #ended: EndedStep[] = []
  #cancel: Cancel | undefined
  #isDrawn = false
  #frame = 0
  #asked = 0

  /** `prefix` stands before each line: the machine's name where there are several. */
  constructor(host: Host, options: { quiet: boolean; prefix?: string }) {
    this.#host = host
    this.#isQuiet = options.quiet
    this.#prefix = options.prefix === undefined ? '' : `${plainLine(options.prefix)}: `
    this.#style = createStyle(host.stderr, host.env)
  }

  /** Steps that have ended, in that order. */
  get ended(): readonly EndedStep[] {
    return this.#ended
  }

  /** The step that failed, or that was under way when all ended. */
  get failed(): string | undefined {
    return this.#ended.findLast(({ state }) => state === 'failed')?.step ?? [...this.#running.keys()].at(-1)
  }

  report({ step, state, detail }: StepEvent): void {
    switch (state) {
      case 'begun':
        this.#running.set(step, detail)
        break
      case 'running':
        if (this.#running.has(step)) this.#running.set(step, detail)
        break
      case 'done':
      case 'same':
      case 'warned':
      case 'failed':
        this.#running.delete(step)
        this.#ended.push({ step, state, detail: detail ?? null })
        this.#line(state, step, detail)
        break
      default:
        state satisfies never
    }
    this.#draw()
  }

  /** Runs the work of a step, and tells how it ended; what it throws is thrown on. */
  async run<T>(step: string, work: (handle: StepHandle) => Promise<T>): Promise<T> {
    let state: StepState = 'done'
    let detail: string | undefined
    this.report({ step, state: 'begun' })
    const end = (ended: StepState) => (text?: string) => {
      state = ended
      detail = text ?? detail
    }
    try {
      const result = await work({
        progress: (text) => this.report({ step, state: 'running', detail: text }),
        say: end('done'),
        same: end('same'),
        warn: end('warned'),
      })
      this.report({ step, state, detail })
      return result
    } catch (thrown) {
      const isInterrupted = this.#host.signal.aborted
      this.report({ step, state: 'failed', detail: isInterrupted ? INTERRUPTED : asMakiError(thrown).message })
      throw thrown
    }
  }

  /** The same question, with the line that is redrawn away until it is answered. */
  asking(
    ask: ((question: string) => Promise<string>) | undefined,
  ): ((question: string) => Promise<string>) | undefined {
    if (ask === undefined) return undefined
    return async (question) => {
      this.#asked++
      this.#clear()
      try {
        return await ask(question)
      } finally {
        this.#asked--
        this.#draw()
      }
    }
  }

  /** Says something between the steps; silent with `quiet`. */
  note(text: string): void {
    if (this.#isQuiet) return
    this.#clear()
    this.#host.stderr.write(`${text}\n`)
    this.#draw()
  }

  /** Takes the line that is redrawn away; steps that still ran are forgotten. */
  [Symbol.dispose](): void {
    this.#running.clear()
    this.#clear()
    this.#cancel?.()
    this.#cancel = undefined
  }

  #line(state: StepState, step: string, detail: string | undefined): void {
    if (this.#isQuiet) return
    this.#clear()
    const paint = { done: this.#style.good, same: this.#style.dim, warned: this.#style.warn, failed: this.#style.bad }
    // Why is told once, whole and with what to do, when all has ended.
    const isToldLater = state === 'failed' && detail !== INTERRUPTED
    const [first = ''] = isToldLater ? [] : (detail ?? '').split('\n', 1)
    const said = first === '' ? '' : `: ${plainLine(first)}`
    this.#host.stderr.write(`${paint[state](MARKS[state])} ${this.#prefix}${plainLine(step)}${said}\n`)
  }

  #draw(): void {
    if (this.#isQuiet || this.#asked > 0 || !isInteractive(this.#host)) return
    this.#clear()
    if (this.#running.size === 0) {
      this.#cancel?.()
      this.#cancel = undefined
      return
    }
    // A terminal that does not know its size says 0.
    const columns = this.#host.stderr.columns || 80
    const steps = [...this.#running].map(([step, detail]) => `${step}${detail === undefined ? '' : `: ${detail}`}`)
    const text = `${FRAMES[this.#frame % FRAMES.length]} ${this.#prefix}${plainLine(steps.join(', '))}`
    this.#host.stderr.write(cutToWidth(text, columns - 1))
    this.#isDrawn = true
    this.#cancel ??= this.#host.runtime.after(FRAME_MS, () => {
      this.#cancel = undefined
      this.#frame++
      this.#draw()
    })
  }

  #clear(): void {
    if (this.#isDrawn) this.#host.stderr.write('\r\u001b[2K')
    this.#isDrawn = false
  }
}
