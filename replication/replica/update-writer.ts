import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
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

/** How Yjs marks an item with a key and binary content (3), and without origins. */
const ENTRY_INFO = 0x23
/** What an entry takes beside its operation, at most: the info, the map's name, the key and three lengths. */
export const ENTRY_BYTES = 1 + 1 + 1 + MAP.length + 1 + 52 + 4

/**
 * A Yjs V1 update with these slots and no deletions; those of a client are in the order of their clocks.
 *
 * An id that two clients set stands in two slots. Nothing has to be said about that: a Yjs document lets the entry of
 * the greater client stand and marks the other deleted, by itself and whatever the order.
 */
export function encodeUpdate(slots: readonly FilledSlot[]): Uint8Array {
  const clients = Map.groupBy(slots, ({ client }) => client)
  const encoder = new Y.UpdateEncoderV1()
  const { restEncoder } = encoder
  encoding.writeVarUint(restEncoder, clients.size)
  for (const [client, own] of clients) {
    const start = (own[0] as FilledSlot).clock
    encoding.writeVarUint(restEncoder, own.length + countGaps(own))
    encoder.writeClient(client)
    encoding.writeVarUint(restEncoder, start)
    let next = start
    for (const { clock, id, bytes } of own) {
      if (clock !== next) new Y.Skip(Y.createID(client, next), clock - next).write(encoder, 0)
      encoder.writeInfo(ENTRY_INFO)
      encoder.writeParentInfo(true)
      encoder.writeString(MAP)
      encoder.writeString(id)
      encoder.writeBuf(bytes)
      next = clock + 1
    }
  }
  // No deletions.
  encoding.writeVarUint(restEncoder, 0)
  return encoder.toUint8Array()
}

function countGaps(slots: readonly FilledSlot[]): number {
  let gaps = 0
  for (const [i, { clock }] of slots.entries()) if (i > 0 && clock !== (slots[i - 1] as FilledSlot).clock + 1) gaps++
  return gaps
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
export const encodeStateVector = (clocks: Iterable<readonly [client: number, clock: number]>): Uint8Array =>
  Y.encodeStateVector(new Map(clocks))
