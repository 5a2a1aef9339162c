import type { FoldView } from '../fold/index.ts'
import type { OperationId } from '../ids.ts'

/** A node that lacks what we had so long ago is behind. */
export const BEHIND_MS = 600_000
/** What we had is noted no more often than this: that late, at most, a node is found to be behind. */
export const NOTE_EVERY_MS = 60_000
/**
 * What a node says of its heads may be cut to the greatest so many, and of ours no more are compared: whoever may write can
 * make a thousand, and each is compared with each.
 */
export const MAX_HEADS = 64

/** The operations that both sides are compared by. */
export type KnownOperations = Pick<FoldView, 'has' | 'isAncestor'>

interface Note {
  readonly heads: readonly OperationId[]
  readonly atMs: number
}

/**
 * Remembers what this node had, minute by minute, and says who has not even what we had ten minutes ago. `nowMs` is monotonic.
 * At most a dozen notes of 64 heads.
 */
export class LagWatch {
  readonly #known: KnownOperations
  /** Oldest first; only the first may be ten minutes old or older. */
  #notes: readonly Note[] = []

  constructor(known: KnownOperations) {
    this.#known = known
  }

  /** To be told our heads, in total order, about once a minute and as often as you like. */
  note(heads: readonly OperationId[], nowMs: number): void {
    const last = this.#notes.at(-1)
    if (last !== undefined && nowMs - last.atMs < NOTE_EVERY_MS) return
    this.#notes = [...this.#notes, { heads: heads.slice(-MAX_HEADS), atMs: nowMs }]
    this.#forget(nowMs)
  }

  /**
   * Whether a node with these heads lacks an operation that we had ten minutes ago. Not so while it is not known: when we
   * have not run for so long, when it says nothing, when its list was cut, and when it names an operation that we lack, which
   * makes it ahead of us. To be asked of nodes that are heard: an old word says nothing of the present.
   */
  isBehind(saidHeads: readonly OperationId[], nowMs: number): boolean {
    this.#forget(nowMs)
    const [then] = this.#notes
    if (then === undefined || nowMs - then.atMs < BEHIND_MS) return false
    if (saidHeads.length === 0 || saidHeads.length >= MAX_HEADS) return false
    if (saidHeads.some((head) => !this.#known.has(head))) return false
    const said = new Set(saidHeads)
    return then.heads.some(
      (ours) => !said.has(ours) && !saidHeads.some((theirs) => this.#known.isAncestor(ours, theirs)),
    )
  }

  /** Drops the notes that a newer one of ten minutes or older makes useless. */
  #forget(nowMs: number): void {
    const first = this.#notes.findLastIndex(({ atMs }) => nowMs - atMs >= BEHIND_MS)
    if (first > 0) this.#notes = this.#notes.slice(first)
  }
}
