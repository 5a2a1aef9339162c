import { createHash } from 'node:crypto'
import * as Y from 'yjs'
import { decodeMessage, encodeCanonical, type OperationId, operationIdFrom } from '../../core/index.ts'
import type { GossipReplica, MergeReport } from '../../replication/ports.ts'
import { Inventory } from '../../replication/replica/inventory.ts'
import { parseStateVector, parseUpdate } from '../../replication/replica/update-reader.ts'
import { encodeUpdate } from '../../replication/replica/update-writer.ts'

/** Entries in a part of an answer: few, so that most answers have several parts. */
const DIFF_SLOTS = 8

/** Bytes that the fake takes for an operation: `[text, heads]`. A text that starts with `bad` is refused. */
export function fakeOperation(
  text: string,
  heads: readonly OperationId[] = [],
): { id: OperationId; bytes: Uint8Array } {
  const bytes = new Uint8Array(encodeCanonical([text, heads]))
  return { id: operationIdFrom(createHash('sha256').update(bytes).digest()), bytes }
}

type UpdateListener = (update: Uint8Array, origin: number | undefined) => void

/** A replica by the contract of GossipReplica, with operations that mean nothing and a store that is a Map. */
export class FakeReplica implements GossipReplica {
  inventory = new Inventory()
  readonly doc = new Y.Doc()
  readonly operations = new Map<OperationId, Uint8Array>()
  readonly pending = new Map<OperationId, { bytes: Uint8Array; heads: OperationId[] }>()
  readonly #listeners = new Set<UpdateListener>()

  constructor(clientID: number) {
    this.doc.clientID = clientID
  }

  /** What is left after a crash: the stored operations, written into a new document. */
  restart(clientID: number): FakeReplica {
    const next = new FakeReplica(clientID)
    for (const [id, bytes] of this.operations) next.#store(id, bytes)
    next.doc.transact(() => {
      for (const [id, bytes] of this.operations) next.doc.getMap('operations').set(id, bytes)
    })
    return next
  }

  commit(text: string, heads: readonly OperationId[] = []): OperationId {
    const { id, bytes } = fakeOperation(text, heads)
    this.#store(id, bytes)
    this.#write([[id, bytes]], undefined)
    return id
  }

  has(id: OperationId): boolean {
    return this.operations.has(id)
  }

  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }

  async *#parts(vector: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    yield* this.diffNow(vector)
  }

  diff(vector: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    parseStateVector(vector)
    return this.#parts(vector)
  }

  /** What Yjs itself would answer, in parts of a few entries. */
  diffNow(vector: Uint8Array): Uint8Array[] {
    const { slots, foreign } = parseUpdate(Y.encodeStateAsUpdate(this.doc, vector))
    if (foreign[0] !== undefined) throw new Error(`the document holds ${foreign[0]}`)
    const filled = slots.map(({ client, clock, id, bytes }) => {
      // Yjs forgets the bytes of an entry when another client set the same id.
      return { client, clock, id, bytes: bytes ?? (this.operations.get(id) as Uint8Array) }
    })
    return Array.from({ length: Math.ceil(filled.length / DIFF_SLOTS) }, (_, i) =>
      encodeUpdate(filled.slice(i * DIFF_SLOTS, (i + 1) * DIFF_SLOTS)),
    )
  }

  async mergeUpdate(update: Uint8Array, origin?: number): Promise<MergeReport> {
    return this.mergeUpdateNow(update, origin)
  }

  async mergeOperations(operations: readonly Uint8Array[], origin?: number): Promise<MergeReport> {
    return this.mergeOperationsNow(operations, origin)
  }

  async readOperations(ids: readonly OperationId[]): Promise<readonly Uint8Array[]> {
    return ids.flatMap((id) => this.operations.get(id) ?? [])
  }

  onUpdate(listener: UpdateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  mergeUpdateNow(update: Uint8Array, origin?: number): MergeReport {
    let decoded: ReturnType<typeof Y.decodeUpdate>
    try {
      decoded = Y.decodeUpdate(update)
    } catch {
      return { added: [], known: 0, missing: [], refused: ['no update'], gap: false }
    }
    const next = new Map<number, number>()
    const payloads: Uint8Array[] = []
    let gap = false
    for (const struct of decoded.structs) {
      const { client, clock } = struct.id
      const expected = next.get(client) ?? Y.getState(this.doc.store, client)
      if (clock > expected) gap = true
      next.set(client, Math.max(expected, clock + struct.length))
      if (struct instanceof Y.Item && struct.content instanceof Y.ContentBinary)
        payloads.push(new Uint8Array(struct.content.content))
    }
    if (gap) return { added: [], known: 0, missing: [], refused: [], gap: true }
    const report = this.#take(payloads)
    if (report.refused.length === 0) Y.applyUpdate(this.doc, update)
    if (report.added.length > 0) this.#emit(update, origin)
    return report
  }

  mergeOperationsNow(operations: readonly Uint8Array[], origin?: number): MergeReport {
    const report = this.#take(operations)
    if (report.added.length > 0)
      this.#write(
        report.added.map((id) => [id, this.operations.get(id) as Uint8Array]),
        origin,
      )
    return report
  }

  #take(payloads: readonly Uint8Array[]): MergeReport {
    const added: OperationId[] = []
    const refused: string[] = []
    let known = 0
    for (const bytes of payloads) {
      const copy = new Uint8Array(bytes)
      const heads = readHeads(copy)
      if (heads === undefined) {
        refused.push('no operation')
        continue
      }
      const id = operationIdFrom(createHash('sha256').update(copy).digest())
      if (this.has(id)) known++
      else this.pending.set(id, { bytes: copy, heads })
    }
    for (let again = true; again; ) {
      again = false
      for (const [id, { bytes, heads }] of this.pending) {
        if (!heads.every((head) => this.has(head))) continue
        this.pending.delete(id)
        this.#store(id, bytes)
        added.push(id)
        again = true
      }
    }
    const missing = new Set<OperationId>()
    for (const { heads } of this.pending.values())
      for (const head of heads) if (!this.has(head) && !this.pending.has(head)) missing.add(head)
    return { added, known, missing: [...missing], refused, gap: false }
  }

  #store(id: OperationId, bytes: Uint8Array): void {
    this.operations.set(id, bytes)
    this.inventory.add(id)
  }

  #write(entries: [OperationId, Uint8Array][], origin: number | undefined): void {
    const before = Y.encodeStateVector(this.doc)
    const map = this.doc.getMap('operations')
    // A second entry of ours would follow the first, which no replica writes.
    const fresh = entries.filter(([id]) => !map._map.has(id))
    if (fresh.length === 0) return
    this.doc.transact(() => {
      for (const [id, bytes] of fresh) map.set(id, bytes)
    })
    this.#emit(Y.encodeStateAsUpdate(this.doc, before), origin)
  }

  #emit(update: Uint8Array, origin: number | undefined): void {
    for (const listener of this.#listeners) listener(update, origin)
  }
}

function readHeads(bytes: Uint8Array): OperationId[] | undefined {
  try {
    const [text, heads] = decodeMessage(bytes) as [string, OperationId[]]
    return text.startsWith('bad') ? undefined : heads
  } catch {
    return undefined
  }
}
