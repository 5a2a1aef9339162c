import { MAX_OPERATION_BYTES } from '../../core/index.ts'
import type { RecordChange } from './plan-record.ts'

/** Leaves room for the operation's head, its message and its signature. */
const MAX_CHANGES_BYTES = MAX_OPERATION_BYTES - 64 * 1024

/**
 * Changes in as few lists as fit into an operation each, in their order. Sizes are those of JSON, which is never shorter
 * than the MessagePack that an operation has.
 */
export function splitChanges(changes: readonly RecordChange[]): readonly (readonly RecordChange[])[] {
  const lists: RecordChange[][] = []
  let room = 0
  for (const change of changes) {
    const sizeBytes = JSON.stringify(change).length
    const last = lists.at(-1)
    if (last === undefined || sizeBytes > room) {
      lists.push([change])
      room = MAX_CHANGES_BYTES - sizeBytes
    } else {
      last.push(change)
      room -= sizeBytes
    }
  }
  return lists
}
