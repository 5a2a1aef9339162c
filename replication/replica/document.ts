import * as Y from 'yjs'
import { isId, MakiError, type OperationId, type Runtime } from '../../core/index.ts'
import type { OperationRecord } from '../ports.ts'
import { checkUpdateShape, checkVectorShape } from './update-shape.ts'

/** The one shared type of the document: a Y.Map from operation id to operation bytes. */
const MAP = 'operations'

/** What an update brings, as told by its bytes alone. */
export interface Inspection {
  /** Sets of an id that stand by themselves; the bytes are plain copies, not verified. */
  readonly entries: readonly OperationRecord[]
  /** Entries whose value is gone, and ranges that the update deletes. */
  readonly deletions: number
  /** What no replica of ours writes, in words; an update with any is not to be applied. */
  readonly foreign: readonly string[]
}

/** What applying an update did. */
export interface Applied {
  /** `gap`: it builds on what is not here. What could not be integrated was dropped, not kept. */
  readonly outcome: 'applied' | 'gap'
  /** Whether the document holds entries that it did not hold before. */
  readonly advanced: boolean
  /** Ids that had a value and have none now. */
  readonly deleted: readonly OperationId[]
  /** Ids whose value is now another. */
  readonly replaced: readonly OperationId[]
}

/**
 * The Yjs document that carries operations between nodes. It is transport: what it holds is never read back, and what a
 * peer deletes or replaces in it is told and left so. Every method that takes a peer's bytes throws nothing but
 * MAKI_PROTOCOL.
 *
 * Yjs facts relied on: V1 updates (V2 aliases the receive buffer); `set` keeps a reference, so values are copied; an
 * entry that was never set before has no origin, which is all that we write and accept.
 */
export class Document {
  readonly #doc = new Y.Doc()
  readonly #map: Y.Map<Uint8Array>

  /** Writes under a fresh 53-bit client id: 32 bits collide among 10,000 processes. */
  constructor(runtime: Pick<Runtime, 'randomBytes'>) {
    this.#doc.clientID = drawClientId(runtime)
    this.#map = this.#doc.getMap(MAP)
  }

  /** Entries that have a value. */
  get size(): number {
    return this.#map.size
  }

  /** True for an id that ever had an entry here, also one that was deleted since. */
  has(id: OperationId): boolean {
    return this.#map._map.has(id)
  }

  /** Sets what has no entry yet. Returns the update that tells of it; undefined when there was nothing to set. */
  put(records: readonly OperationRecord[]): Uint8Array | undefined {
    const fresh = records.filter(({ id }) => !this.has(id))
    if (fresh.length === 0) return undefined
    let update: Uint8Array | undefined
    const take = (written: Uint8Array) => {
      update = written
    }
    this.#doc.on('update', take)
    try {
      this.#doc.transact(() => {
        for (const { id, bytes } of fresh) if (!this.has(id)) this.#map.set(id, new Uint8Array(bytes))
      })
    } finally {
      this.#doc.off('update', take)
    }
    return update
  }

  /** Takes an update apart without applying it. */
  inspect(update: Uint8Array): Inspection {
    checkUpdateShape(update)
    const { structs, ds } = decode(() => Y.decodeUpdate(update), 'update')
    const entries: OperationRecord[] = []
    const foreign: string[] = []
    let deletions = 0
    for (const ranges of ds.clients.values()) deletions += ranges.length
    for (const struct of structs) {
      if (struct instanceof Y.Skip) continue
      const fault = this.#findFault(struct)
      if (fault !== undefined) foreign.push(fault)
      else if (struct instanceof Y.Item && struct.content instanceof Y.ContentBinary) {
        entries.push({ id: struct.parentSub as OperationId, bytes: struct.content.content })
      } else deletions++
    }
    return { entries, deletions, foreign }
  }

  /** Integrates an update that was inspected and found without fault. */
  apply(update: Uint8Array): Applied {
    const { store } = this.#doc
    const deleted: OperationId[] = []
    const replaced: OperationId[] = []
    try {
      return this.#doc.transact((transaction) => {
        const before = countStructs(transaction.beforeState)
        decode(() => Y.applyUpdate(this.#doc, update), 'update')
        const gap = store.pendingStructs !== null || store.pendingDs !== null
        this.#collectFaults(transaction, deleted, replaced)
        const advanced = countStructs(Y.decodeStateVector(this.stateVector())) > before
        return { outcome: gap ? ('gap' as const) : ('applied' as const), advanced, deleted, replaced }
      })
    } finally {
      // Kept, they would grow with every later update (findings/core.md, e2) and travel on to others.
      store.pendingStructs = null
      store.pendingDs = null
    }
  }

  stateVector(): Uint8Array {
    return Y.encodeStateVector(this.#doc)
  }

  /** Update with what a replica at `stateVector` lacks. */
  diff(stateVector: Uint8Array): Uint8Array {
    checkVectorShape(stateVector)
    return decode(() => Y.encodeStateAsUpdate(this.#doc, stateVector), 'state vector')
  }

  /** Everything, as one update. */
  snapshot(): Uint8Array {
    return Y.encodeStateAsUpdate(this.#doc)
  }

  #findFault(struct: Y.AbstractStruct): string | undefined {
    if (!(struct instanceof Y.Item)) return 'a collected range'
    // Yjs would change our client id, to one of 32 bits, when another seems to use it.
    if (struct.id.client === this.#doc.clientID && struct.id.clock >= Y.getState(this.#doc.store, struct.id.client))
      return 'an entry under the client id of this replica'
    if (struct.origin !== null || struct.rightOrigin !== null) return 'an entry that follows another'
    // As decoded the parent is the name of a root type, or an id; its declared type knows only integrated ones.
    if ((struct.parent as unknown) !== MAP) return 'an entry outside the map of operations'
    if (struct.parentSub === null || !isId(struct.parentSub)) return 'an entry whose key is no operation id'
    const { content } = struct
    if (content instanceof Y.ContentBinary) return undefined
    if (content instanceof Y.ContentDeleted && content.len === 1) return undefined
    return `an entry of type ${content.constructor.name}`
  }

  /** Before Yjs drops the values of what the transaction deleted. Equal bytes set twice are no event. */
  #collectFaults(transaction: Y.Transaction, deleted: OperationId[], replaced: OperationId[]): void {
    const known = transaction.beforeState
    Y.iterateDeletedStructs(transaction, transaction.deleteSet, (struct) => {
      if (!(struct instanceof Y.Item) || struct.parentSub === null) return
      if (struct.id.clock >= (known.get(struct.id.client) ?? 0)) return
      if (!(struct.content instanceof Y.ContentBinary)) return
      const id = struct.parentSub as OperationId
      const present = this.#map.get(id)
      if (present === undefined) deleted.push(id)
      else if (Buffer.compare(present, struct.content.content) !== 0) replaced.push(id)
    })
  }
}

function drawClientId(runtime: Pick<Runtime, 'randomBytes'>): number {
  const view = new DataView(runtime.randomBytes(8).buffer)
  return (view.getUint32(0) & 0x1f_ffff) * 2 ** 32 + view.getUint32(4)
}

const countStructs = (vector: ReadonlyMap<number, number>): number => {
  let count = 0
  for (const clock of vector.values()) count += clock
  return count
}

function decode<T>(read: () => T, what: string): T {
  try {
    return read()
  } catch (cause) {
    throw new MakiError('MAKI_PROTOCOL', `a peer sent bytes that are no Yjs ${what}`, { cause })
  }
}
