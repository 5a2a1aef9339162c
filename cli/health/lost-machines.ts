/** A machine that could not be reached from here, and why. */
export interface LostMachine {
  readonly machine: string
  readonly why: string
}

/** What is to be said of machines that the others do not reach: those that were told from here, and those that were not. Pure. */
export function listLost(brought: readonly string[], unheard: readonly LostMachine[]) {
  return [
    ...brought.map((node) => ({
      level: 'note' as const,
      node,
      message: 'it lacked what was written, which was brought to it from here',
      hint: 'If it is so again, the other machines do not reach it: let UDP 51880 in, there and at them.',
    })),
    ...unheard.map(({ machine, why }) => ({
      level: 'note' as const,
      node: machine,
      message: `it has not heard all that was written, who was removed for one: ${why}`,
      hint: 'maki push brings it what it lacks when it can be reached again.',
    })),
  ]
}
