import type { FoldView } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { type Moment, parseMoment, type ReplaySource, replay } from '../operations/replay.ts'

/** What the past of a node is made from. */
export type PastSource = ReplaySource & Pick<Replica, 'inventory'>

/** One replay at a time, and the last one kept: each reads and folds as much as a start without a checkpoint. */
class Past {
  readonly #source: PastSource
  #last: { readonly name: string; readonly fold: Promise<FoldView> } | undefined

  constructor(source: PastSource) {
    this.#source = source
  }

  until(moment: Moment): Promise<FoldView> {
    const name = this.#nameOf(moment)
    if (this.#last?.name === name) return this.#last.fold
    const before = this.#last?.fold ?? Promise.resolve()
    const fold = before.then(
      () => replay(this.#source, moment),
      () => replay(this.#source, moment),
    )
    const last = { name, fold }
    this.#last = last
    // One that failed is tried again.
    fold.catch(() => {
      if (this.#last === last) this.#last = undefined
    })
    return fold
  }

  /** Equal names are equal answers: also what is older than a moment may still arrive. */
  #nameOf(moment: Moment): string {
    return JSON.stringify([moment, Buffer.from(this.#source.inventory.root()).toString('hex')])
  }
}

const pasts = new WeakMap<PastSource, Past>()

/**
 * The fold as it was: of an operation with all that it follows (`at` is its id, or a prefix that no other shares), or of all
 * operations up to a time (ISO 8601); what that means exactly is said at `replay`. Throws MAKI_INVALID, or MAKI_NOT_FOUND.
 * Calls for one replica wait for one another; asking again for the last is free.
 */
export async function foldUntil(replica: PastSource, at: string): Promise<FoldView> {
  const moment = parseMoment(at, replica.ids())
  const past = pasts.get(replica) ?? new Past(replica)
  pasts.set(replica, past)
  return await past.until(moment)
}
