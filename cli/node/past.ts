import { Fold, type FoldView, isId, MakiError, type Operation, type OperationId } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** What the past of a node is made from. */
export type PastSource = Pick<Replica, 'history' | 'read' | 'ids' | 'inventory'>

/** One replay at a time, and the last one kept: each reads and folds as much as a start without a checkpoint. */
class Past {
  readonly #source: PastSource
  #last: { readonly name: string; readonly fold: Promise<FoldView> } | undefined

  constructor(source: PastSource) {
    this.#source = source
  }

  until(at: string): Promise<FoldView> {
    const name = this.#nameOf(at)
    if (this.#last?.name === name) return this.#last.fold
    const before = this.#last?.fold ?? Promise.resolve()
    const fold = before.then(
      () => replayUntil(this.#source, at),
      () => replayUntil(this.#source, at),
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
  #nameOf(at: string): string {
    return JSON.stringify([at, Buffer.from(this.#source.inventory.root()).toString('hex')])
  }
}

const pasts = new WeakMap<PastSource, Past>()

/**
 * The fold as it was: of an operation with all that it follows (`at` is its id, or a prefix that no other shares), or of all
 * operations up to a time (anything that Date understands). Throws MAKI_INVALID, or MAKI_NOT_FOUND.
 * Calls for one replica wait for one another; asking again for the last is free.
 */
export function foldUntil(replica: PastSource, at: string): Promise<FoldView> {
  const past = pasts.get(replica) ?? new Past(replica)
  pasts.set(replica, past)
  return past.until(at)
}

async function replayUntil(replica: PastSource, at: string): Promise<Fold> {
  const history: Operation[] = []
  for await (const operation of replica.history()) history.push(operation)
  history.reverse()
  const counts = isTime(at) ? untilTime(Date.parse(at)) : untilOperation(history, at)
  const fold = new Fold()
  // In total order heads stand before what follows them; what follows an operation that is lost waits here as it does there.
  for (const operation of history)
    if (counts(operation) && operation.heads.every((head) => fold.has(head))) fold.add(operation)
  return fold
}

const isTime = (at: string): boolean => /^\d{4}-/.test(at) && !Number.isNaN(Date.parse(at))

const untilTime =
  (wallMs: number) =>
  (operation: Operation): boolean =>
    operation.stamp.wallMs <= wallMs

function untilOperation(history: readonly Operation[], prefix: string): (operation: Operation) => boolean {
  if (!/^[a-z2-7]{4,52}$/.test(prefix)) {
    throw new MakiError('MAKI_INVALID', `${JSON.stringify(prefix)} is neither a time nor an operation`, {
      hint: 'Write a time like 2026-11-22T10:00:00Z, or an operation as maki history shows it.',
    })
  }
  const found = history.filter(({ id }) => (isId(prefix) ? id === prefix : id.startsWith(prefix)))
  const [operation, another] = found
  if (operation === undefined || another !== undefined) {
    const why = operation === undefined ? 'no operation begins' : 'more than one operation begins'
    throw new MakiError('MAKI_NOT_FOUND', `${why} with ${prefix}`, { hint: 'maki history lists operations.' })
  }
  const byId = new Map(history.map((item) => [item.id, item]))
  const past = new Set<OperationId>()
  const queue = [operation.id]
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (past.has(id)) continue
    past.add(id)
    queue.push(...(byId.get(id)?.heads ?? []))
  }
  return ({ id }) => past.has(id)
}
