import type { SetupEvent } from './protocol.ts'

/** Standard output of a program that changes this server, whose reader may be gone at any moment. */
export interface EventOutput {
  /** A line for the event, as long as somebody reads. */
  tell(event: SetupEvent): void
  /** Ends the process when all that was told is on its way, and at once where nobody reads it any more. */
  end(code: number): void
}

/** `onGone` is called, perhaps more than once, when somebody should read and nobody does. */
export function openEventOutput(onGone: () => void = () => {}): EventOutput {
  let isGone = false
  process.stdout.on('error', () => {
    isGone = true
    onGone()
  })
  return {
    tell(event) {
      if (!isGone) process.stdout.write(`${JSON.stringify(event)}\n`)
    },
    end(code) {
      const exit = (): never => process.exit(code)
      // Node's standard output forgets that it has failed, and then never says that it has ended.
      if (isGone) exit()
      process.stdout.once('error', exit)
      process.stdout.end(exit)
    },
  }
}
