import { asMakiError, MakiError } from '../../core/index.ts'
import { SetupFailure } from './run-setup.ts'

/** What became of what a run had done when it failed. */
export interface Setback {
  /** The step that failed, as the list has it. */
  readonly step: string | undefined
  /** Whether anything had been done at all. */
  readonly isBegun: boolean
  /** The node may run, and what it belongs to was left. */
  readonly isKept: boolean
  /** What could not be taken back. */
  readonly left: readonly string[]
}

/** The error of a run that failed: which step, why, what became of the rest, what to do. Pure. */
export function explainInit(thrown: unknown, { step, isBegun, isKept, left }: Setback): MakiError {
  const error = asMakiError(thrown)
  if (!isBegun) return error
  const isLost = error instanceof SetupFailure && error.undone === undefined
  const rest = isKept
    ? '\nWhether the node runs is not known. What belongs to it was left as it is, here and in the cluster.'
    : left.length > 0
      ? `\nThis could not be taken back:\n${left.map((one) => `  - ${one}`).join('\n')}`
      : isLost
        ? '\nThe rest was taken back here; the server puts back by itself what it had begun.'
        : '\nWhat was done was taken back.'
  const again = 'Run the command again when that is settled: it goes on with what is there.'
  return new MakiError(error.code, `${step === undefined ? '' : `${step}: `}${error.message}${rest}`, {
    cause: error,
    hint: error.hint === undefined ? again : `${error.hint}\n${again}`,
  })
}

/** What an interrupted run has left, which nobody would see otherwise. Pure. */
export const describeInterruption = (left: readonly string[]): string =>
  left.length === 0
    ? 'interrupted: what was done was taken back'
    : `interrupted, and this could not be taken back: ${left.join('; ')}. Run the command again: it goes on with that.`
