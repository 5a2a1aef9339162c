import * as encoding from 'lib0/encoding'
import type { OperationId } from '../../core/index.ts'

/** The one shared type of the document: a Y.Map from operation id to operation bytes. */
export const MAP = 'operations'

/** A place in the document: the entry that a Yjs client wrote at a clock, all of length 1. */
export interface Slot {
  readonly client: number
  readonly clock: number
  readonly id: OperationId
}

/** A slot with the operation's bytes. */
export interface FilledSlot extends Slot {
  readonly bytes: Uint8Array
}

/**
 * How Yjs writes an entry of that map up to the id: an Item with a key and binary content (0x23), without origins, whose
 * parent is the root type of a name (1); the key has 52 bytes.
 */
export const ENTRY_PREFIX: Uint8Array = Uint8Array.of(0x23, 1, MAP.length, ...Buffer.from(MAP), 52)
/** What an entry takes beside its operation, at most. */
export const ENTRY_BYTES = ENTRY_PREFIX.length + 52 + 4

/** A struct that stands for clocks that are left out. */
const SKIP = 10

/**
 * A Yjs V1 update with these slots and no deletions; those of a client are in the order of their clocks.
 *
 * An id that two clients set stands in two slots. Nothing has to be said about that: a Yjs document lets the entry of
 * the greater client stand and marks the other deleted, by itself and whatever the order.
 */
export function encodeUpdate(slots: readonly FilledSlot[]): Uint8Array {
  const clients = Map.groupBy(slots, ({ client }) => client)
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, clients.size)
  for (const [client, own] of clients) {
    const start = (own[0] as FilledSlot).clock
    let next = start
    let gaps = 0
    for (const { clock } of own) {
      if (clock !== next) gaps++
      next = clock + 1
    }
    encoding.writeVarUint(encoder, own.length + gaps)
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, start)
    next = start
    for (const { clock, id, bytes } of own) {
      if (clock !== next) {
        encoding.writeUint8(encoder, SKIP)
        encoding.writeVarUint(encoder, clock - next)
      }
      encoding.writeUint8Array(encoder, ENTRY_PREFIX)
      encoding.writeUint8Array(encoder, Buffer.from(id, 'latin1'))
      encoding.writeVarUint8Array(encoder, bytes)
      next = clock + 1
    }
  }
  encoding.writeVarUint(encoder, 0)
  return encoding.toUint8Array(encoder)
}

/** What an update of several holds, and one operation beyond it at most. */
export const PART_BYTES = 1024 * 1024

/** Slots as one update after another, each of some megabyte. */
export function encodeInParts(slots: readonly FilledSlot[]): readonly Uint8Array[] {
  const updates: Uint8Array[] = []
  let from = 0
  let sizeBytes = 0
  for (const [i, { bytes }] of slots.entries()) {
    sizeBytes += bytes.length + ENTRY_BYTES
    if (sizeBytes < PART_BYTES && i < slots.length - 1) continue
    updates.push(encodeUpdate(slots.slice(from, i + 1)))
    from = i + 1
    sizeBytes = 0
  }
  return updates
}

/** A Yjs state vector, clients in descending order as Yjs writes them: equal vectors are equal bytes. */
export function encodeStateVector(clocks: Iterable<readonly [client: number, clock: number]>): Uint8Array {
  const entries = [...clocks].sort(([a], [b]) => b - a)
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, entries.length)
  for (const [client, clock] of entries) {
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, clock)
  }
  return encoding.toUint8Array(encoder)
}
