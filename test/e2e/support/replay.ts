import type { Test } from 'tap'
import { eventually } from '../../support/eventually.ts'
import { findExpected, formatDifference, isAsExpected, type Step } from '../transcript.ts'
import { RunningCommand, type Shell } from './terminal.ts'

/** More than any answer has ever needed; the difference is then shown. */
const QUESTIONS = 100
/** Looks at the first terminal until it says what is next. */
const LOOKS = 1200

export interface ReplayOptions {
  readonly document: string
  /** Where commands are typed. */
  readonly shell: Shell
  /** Where the first terminal is, and its variables. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Commands that only ask: they are asked again until the answer is there. */
  readonly question: RegExp
  /** The command of the first terminal as it is run, with ports that nobody else has. */
  readonly withPorts: (command: string) => string
}

/** Does what a reader does with two terminals, step by step, and compares what is said. To be disposed of. */
export class Replay implements AsyncDisposable {
  readonly #options: ReplayOptions
  #first: RunningCommand | undefined
  /** How much of the first terminal's output was read. */
  #read = 0

  constructor(options: ReplayOptions) {
    this.#options = options
  }

  /** Types all steps, each a test; ends at the first that fails. */
  async play(t: Test, steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      const title = step.kind === 'run' || step.kind === 'start' ? `$ ${step.command.split('\n')[0]}` : step.kind
      await t.test(`${this.#options.document}:${step.line} ${title}`, { bail: true }, async (t) => {
        if (step.kind === 'run') await this.#type(t, step)
        else await this.#watch(t, step)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first?.[Symbol.asyncDispose]()
  }

  async #type(t: Test, { command, expected }: Extract<Step, { kind: 'run' }>): Promise<void> {
    const { shell, question } = this.#options
    let last = { code: null as number | null, output: '' }
    const fits = async (): Promise<true | undefined> => {
      last = await shell.type(command)
      return (last.code === 0 && isAsExpected(expected, last.output)) || undefined
    }
    const tries = question.test(command) ? QUESTIONS : 1
    const done = await eventually('the expected answer', fits, { tries }).catch(() => false)
    const details = { difference: formatDifference(expected, last.output), exitCode: last.code }
    t.ok(done, 'it prints what stands there', done ? {} : details)
  }

  async #watch(t: Test, step: Exclude<Step, { kind: 'run' }>): Promise<void> {
    const { cwd, env, withPorts } = this.#options
    if (step.kind === 'start') {
      this.#first = new RunningCommand(withPorts(step.command), { cwd, env })
      this.#read = 0
    }
    const running = this.#first
    if (running === undefined) throw new Error(`line ${step.line}: nothing runs in the first terminal`)
    if (step.kind === 'interrupt') await running.interrupt()
    const look = (): number | undefined => findExpected(step.expected, running.output.slice(this.#read))
    const end = await eventually('what it says next', () => look() ?? (running.hasEnded ? null : undefined), {
      tries: LOOKS,
    }).catch(() => null)
    const difference = formatDifference(step.expected, running.output.slice(this.#read))
    t.ok(end !== null, 'it says what stands there', end === null ? { difference } : {})
    this.#read += end ?? 0
  }
}
