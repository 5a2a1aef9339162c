import { compileEffects, type Effects, type Key, type OperationId, type Written } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** What given operations made of given keys, as far as they are stored; each operation is read once. */
export async function readWritten(
  replica: Pick<Replica, 'read'>,
  wanted: Iterable<readonly [Key, OperationId]>,
): Promise<ReadonlyMap<Key, Written>> {
  const effects = new Map<OperationId, Effects>()
  const written = new Map<Key, Written>()
  for (const [key, id] of wanted) {
    let known = effects.get(id)
    if (known === undefined) {
      const operation = await replica.read(id)
      if (operation === undefined) continue
      known = compileEffects(operation)
      effects.set(id, known)
    }
    const effect = known.keys.get(key)
    written.set(key, { operation: id, value: effect?.value, via: effect?.via })
  }
  return written
}

/** Whether some operation that counts named the key itself: a scope that is removed takes nothing that was never there. */
export async function wasNamed(replica: Pick<Replica, 'read' | 'fold'>, key: Key): Promise<boolean> {
  for (const id of replica.fold.touching(key).toReversed()) {
    const operation = await replica.read(id)
    if (operation !== undefined && compileEffects(operation).keys.has(key)) return true
  }
  return false
}
