import * as Y from 'yjs'
import type { Operation, OperationId } from '../../../core/index.ts'
import { createMemoryStore, type OperationStore } from '../../../replication/index.ts'
import { Document, type Entered } from '../../../replication/replica/document.ts'
import { readDiff } from '../../../replication/replica/document-diff.ts'
import { parseStateVector, parseUpdate } from '../../../replication/replica/update-reader.ts'
import { FakeRuntime } from '../fake-runtime.ts'

/** Something that speaks Yjs: our document over a store, or Yjs itself. */
export interface DocumentPeer {
  /** Enters an operation that has no entry yet. */
  write(operation: Operation): Promise<void>
  take(update: Uint8Array): Promise<void>
  stateVector(): Uint8Array
  /** What a peer with this state vector lacks. */
  diff(vector: Uint8Array): Promise<readonly Uint8Array[]>
  ids(): readonly OperationId[]
}

/** Our document, over a store that believes what it is told. */
export class IndexPeer implements DocumentPeer {
  readonly document: Document
  readonly store: OperationStore
  readonly foreign: string[] = []
  last: Entered | undefined

  constructor(seed: number) {
    const runtime = new FakeRuntime(seed)
    this.document = new Document(runtime)
    this.store = createMemoryStore(runtime)
  }

  async write(operation: Operation): Promise<void> {
    await this.#keep(operation)
    this.document.put([this.store.sequence(operation.id) as number])
  }

  async take(update: Uint8Array): Promise<void> {
    const { slots, foreign } = parseUpdate(update)
    this.foreign.push(...foreign)
    for (const { id, bytes } of slots) if (bytes !== undefined) await this.#keep({ id, bytes })
    if (foreign.length > 0) return
    this.last = this.document.enter(slots, (id) => this.store.sequence(id))
    this.foreign.push(...this.last.foreign)
  }

  stateVector(): Uint8Array {
    return this.document.stateVector()
  }

  diff(vector: Uint8Array): Promise<readonly Uint8Array[]> {
    return Array.fromAsync(readDiff(this.document, this.document.lacking(parseStateVector(vector)), this.store))
  }

  ids(): readonly OperationId[] {
    return [...Y.decodeStateVector(this.stateVector())]
      .flatMap(([client, clock]) => Array.from({ length: clock }, (_, i) => this.document.at(client, i) as number))
      .map((sequence) => this.#ids[sequence] as OperationId)
  }

  readonly #ids: OperationId[] = []

  async #keep({ id, bytes }: { readonly id: OperationId; readonly bytes: Uint8Array }): Promise<void> {
    if (this.store.sequence(id) !== undefined) return
    await this.store.append([{ id, bytes: new Uint8Array(bytes) }])
    this.#ids.push(id)
  }
}

/** Yjs itself, with a Y.Map as our replicas held it once. */
export class YjsPeer implements DocumentPeer {
  readonly doc = new Y.Doc()

  constructor(clientID: number) {
    this.doc.clientID = clientID
  }

  get map(): Y.Map<Uint8Array> {
    return this.doc.getMap('operations')
  }

  async write({ id, bytes }: Operation): Promise<void> {
    if (!this.map._map.has(id)) this.map.set(id, new Uint8Array(bytes))
  }

  async take(update: Uint8Array): Promise<void> {
    Y.applyUpdate(this.doc, update)
  }

  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }

  async diff(vector: Uint8Array): Promise<readonly Uint8Array[]> {
    return [Y.encodeStateAsUpdate(this.doc, vector)]
  }

  ids(): readonly OperationId[] {
    return [...this.map.keys()] as OperationId[]
  }
}
