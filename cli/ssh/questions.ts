import type { Ask } from './ssh-options.ts'

/** What a person can be asked by; absent where nobody sits there. */
export interface Questions {
  readonly ask?: Ask | undefined
  readonly askSecret?: Ask | undefined
}

/** The same, one question at a time: several servers may be connected to at once. */
export function askInTurn({ ask, askSecret }: Questions): Questions {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (one: Ask | undefined): Ask | undefined =>
    one === undefined
      ? undefined
      : (question) => {
          const asking = last.then(() => one(question))
          last = asking.catch(() => {})
          return asking
        }
  return { ask: inTurn(ask), askSecret: inTurn(askSecret) }
}
