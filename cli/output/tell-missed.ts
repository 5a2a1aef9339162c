import type { MissedMachine } from '../client/spread.ts'
import { plainLine } from './text.ts'

/** What a person should know of machines that did not hear of something from here, a sentence each. Pure. */
export const tellMissed = (missed: readonly MissedMachine[]): readonly string[] =>
  missed.map(
    ({ machine, why }) =>
      `${plainLine(machine)} was not reached (${plainLine(why)}): it learns this from the others, or by maki push`,
  )
