import { compareOperations, type Key, type Operation, type OperationId } from '../../core/index.ts'
import { compileDemands, foldMembership, judge, readMembership } from '../../core/membership/membership.ts'
import { compileEffects } from '../../core/state/effects.ts'

/** What DESIGN section 3 says of a set of operations. */
export interface Definition {
  /** By key: the value, and the operation that wrote it. */
  readonly values: ReadonlyMap<Key, readonly [value: unknown, operation: OperationId]>
  /** By key: the operations of its frontier, greatest first. */
  readonly frontiers: ReadonlyMap<Key, readonly OperationId[]>
  readonly mergeBases: ReadonlyMap<Key, OperationId | undefined>
  /** Operations that do not count. */
  readonly voids: ReadonlySet<OperationId>
  isAncestor(a: OperationId, b: OperationId): boolean
}

/** The definition, word for word and slow: every key from all counted operations, ancestry by walking heads. */
export function foldByDefinition(history: readonly Operation[]): Definition {
  const isAncestor = ancestryByWalking(history)
  const membership = history.flatMap((operation) => readMembership(operation, compileDemands(operation.changes)) ?? [])
  const members = foldMembership(membership, isAncestor)
  const counts = (operation: Operation) =>
    judge(operation, compileDemands(operation.changes), members.get(operation.author), isAncestor) === undefined
  const compiled = history.filter(counts).map((operation) => ({ operation, effects: compileEffects(operation) }))
  const values = new Map<Key, [unknown, OperationId]>()
  const frontiers = new Map<Key, OperationId[]>()
  const mergeBases = new Map<Key, OperationId | undefined>()
  for (const key of new Set(compiled.flatMap(({ effects }) => [...effects.keys.keys()]))) {
    const touching = compiled
      .filter(
        ({ effects }) =>
          effects.keys.has(key) ||
          [...effects.removedScopes].some((scope) => key === scope || key.startsWith(`${scope}/`)),
      )
      .sort((a, b) => compareOperations(b.operation, a.operation))
    const frontier = touching.filter(
      ({ operation }) => !touching.some((other) => isAncestor(operation.id, other.operation.id)),
    )
    const ids = frontier.map(({ operation }) => operation.id)
    frontiers.set(key, ids)
    const base = touching.find(({ operation }) => ids.every((id) => isAncestor(operation.id, id)))
    mergeBases.set(key, base?.operation.id)
    const value = frontier[0]?.effects.keys.get(key)?.value
    if (frontier[0] !== undefined && value !== undefined) values.set(key, [value, frontier[0].operation.id])
  }
  const voids = new Set(history.filter((operation) => !counts(operation)).map(({ id }) => id))
  return { values, frontiers, mergeBases, voids, isAncestor }
}

function ancestryByWalking(history: readonly Operation[]): (a: OperationId, b: OperationId) => boolean {
  const byId = new Map(history.map((operation) => [operation.id, operation]))
  const pasts = new Map<OperationId, Set<OperationId>>()
  const pastOf = (id: OperationId): Set<OperationId> => {
    const known = pasts.get(id)
    if (known !== undefined) return known
    const past = new Set<OperationId>()
    for (const head of byId.get(id)?.heads ?? []) {
      past.add(head)
      for (const older of pastOf(head)) past.add(older)
    }
    pasts.set(id, past)
    return past
  }
  return (a, b) => pastOf(b).has(a)
}
