import type { MemberKey, OperationId } from '../ids.ts'
import type { Operation } from '../operation/index.ts'
import {
  changedStandings,
  compileDemands,
  type Demands,
  foldMembership,
  judgeAt,
  type Members,
  type MembershipOperation,
  type Place,
  readMembership,
} from './membership.ts'

/** Operations that are not recorded yet, by their ids. */
export interface Staged {
  get(id: OperationId): Operation | undefined
}

/** Who belongs, kept up to date as operations that admit and remove are recorded in causal order. */
export class Authority {
  readonly #isAncestor: (a: OperationId, b: OperationId) => boolean
  readonly #operations: MembershipOperation[] = []
  /** Every addition of a key in the set, counted or not. */
  readonly #additions = new Map<MemberKey, OperationId[]>()
  #members: Members = new Map()

  constructor(isAncestor: (a: OperationId, b: OperationId) => boolean) {
    this.#isAncestor = isAncestor
  }

  /** Everybody who was ever admitted by an operation that counts. */
  get members(): Members {
    return this.#members
  }

  /** True for a key that was admitted and not removed. */
  isMember(key: MemberKey): boolean {
    const member = this.#members.get(key)
    return member !== undefined && member.cuts.length === 0
  }

  /** What was recorded, in that order. */
  get operations(): readonly MembershipOperation[] {
    return this.#operations
  }

  /** Records further operations. Returns the members whose operations have to be judged again. */
  record(operations: readonly MembershipOperation[]): ReadonlySet<MemberKey> {
    for (const operation of operations) {
      this.#operations.push(operation)
      for (const { key } of operation.additions) {
        const additions = this.#additions.get(key)
        if (additions === undefined) this.#additions.set(key, [operation.id])
        else additions.push(operation.id)
      }
    }
    const before = this.#members
    this.#members = foldMembership(this.#operations, this.#isAncestor)
    return changedStandings(before, this.#members)
  }

  /** Why an operation of an author does not count, in words; undefined when it counts. */
  judge(author: MemberKey, place: Place, demands: Demands): string | undefined {
    return judgeAt(place, demands, this.#members.get(author))
  }

  /**
   * True when some operation in the past adds the author, whether or not that one counts: a function of the operation's
   * ancestors alone. Ancestors that are not recorded yet are found in `staged`; each of those was admitted itself.
   */
  wasAdmitted(operation: Pick<Operation, 'author' | 'heads'>, staged: Staged): boolean {
    const additions = this.#additions.get(operation.author) ?? []
    const seen = new Set<OperationId>()
    const queue = [...operation.heads]
    for (let head = queue.pop(); head !== undefined; head = queue.pop()) {
      if (seen.has(head)) continue
      seen.add(head)
      const past = head
      const waiting = staged.get(past)
      if (waiting === undefined) {
        if (additions.some((addition) => addition === past || this.#isAncestor(addition, past))) return true
        continue
      }
      // What admitted the author of that one lies in this past too; so a long line by one author costs one step each.
      if (waiting.author === operation.author && waiting.heads.length > 0) return true
      const membership = readMembership(waiting, compileDemands(waiting.changes))
      if (membership?.additions.some((addition) => addition.key === operation.author)) return true
      queue.push(...waiting.heads)
    }
    return false
  }
}
