import type { OperationRecord, OperationStore } from '../ports.ts'
import type { Document, Part, Place } from './document.ts'
import { ENTRY_BYTES, encodeUpdate, type FilledSlot, PART_BYTES } from './update-writer.ts'

/** Planned at once: some thousand places are sorted in less than a millisecond. */
const WINDOW = 2048
/** Read from the store at once; at 1 MB each, the worst case is what one answer can make us hold. */
const READ_STEP = 64

interface Cursor {
  readonly part: Part
  clock: number
  /** The greatest sequence number of the part up to `clock`. */
  key: number
}

interface PlannedPlace extends Place {
  readonly key: number
}

/**
 * Updates with these parts of the document, each of some megabyte, to be entered in their order. Operations come in the
 * order in which they were stored here, so that each comes after its heads, as far as the order of each client's own
 * slots lets them.
 */
export async function* readDiff(
  document: Document,
  parts: readonly Part[],
  store: OperationStore,
): AsyncGenerator<Uint8Array, void, void> {
  let filled: FilledSlot[] = []
  let sizeBytes = 0
  for (const places of planWindows(document, parts)) {
    for await (const slot of readPlaces(places, store)) {
      filled.push(slot)
      sizeBytes += slot.bytes.length + ENTRY_BYTES
      if (sizeBytes < PART_BYTES) continue
      yield encodeUpdate(filled)
      filled = []
      sizeBytes = 0
    }
  }
  if (filled.length > 0) yield encodeUpdate(filled)
}

/** Fills places with what the store holds, in their order. Throws as the store does. */
export async function* readPlaces(
  places: readonly Place[],
  store: OperationStore,
): AsyncGenerator<FilledSlot, void, void> {
  for (let from = 0; from < places.length; ) {
    const { sequence } = places[from] as Place
    let end = from + 1
    while (end - from < READ_STEP && places[end]?.sequence === sequence + end - from) end++
    const records = await store.list(sequence, end - from)
    for (const [i, { id, bytes }] of records.entries()) {
      const { client, clock } = places[from + i] as Place
      yield { client, clock, id, bytes } satisfies FilledSlot & OperationRecord
    }
    from = end
  }
}

function* planWindows(document: Document, parts: readonly Part[]): Generator<readonly Place[], void, void> {
  let cursors: Cursor[] = parts.map((part) => ({
    part,
    clock: part.from,
    key: keyOf(document, part.client, part.from),
  }))
  while (cursors.length > 0) {
    const limit = cursors.reduce((least, { key }) => Math.min(least, key), Number.MAX_SAFE_INTEGER) + WINDOW
    const planned: PlannedPlace[] = []
    for (const cursor of cursors) {
      const { client, end } = cursor.part
      // A window of copies could be any number of slots; the rest of it is planned again.
      for (let count = 0; cursor.clock < end && cursor.key < limit && count < WINDOW; count++) {
        planned.push({
          client,
          clock: cursor.clock,
          sequence: document.at(client, cursor.clock) as number,
          key: cursor.key,
        })
        cursor.clock++
        if (cursor.clock < end) cursor.key = Math.max(cursor.key, keyOf(document, client, cursor.clock))
      }
    }
    yield planned.sort((a, b) => a.key - b.key)
    cursors = cursors.filter(({ clock, part }) => clock < part.end)
  }
}

const keyOf = (document: Document, client: number, clock: number) => document.at(client, clock) as number
