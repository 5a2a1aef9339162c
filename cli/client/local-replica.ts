import {
  type ClusterId,
  compareOperations,
  findCluster,
  type Log,
  MakiError,
  type MemberKey,
  type Operation,
  type OperationId,
  type Runtime,
} from '../../core/index.ts'
import {
  createMemoryStore,
  type OperationStore,
  openLevelStore,
  Replica,
  readOperation,
  repairAside,
} from '../../replication/local/index.ts'
import { type DataFolder, makeDataFolder } from './data-folder.ts'
import { EMPTY_EXCHANGE_LOG, type ExchangeLog, readExchangeLog, writeExchangeLog } from './exchange-log.ts'

/** How long a second `maki` waits for the first to finish. */
const LOCK_WAIT_MS = 10_000
const LOCK_RETRY_MS = 100
/** Operations read from the local store at a time. */
const PAGE = 1_000

export interface LocalReplicaOptions {
  readonly cluster: ClusterId
  /** Undefined: in memory, for an identity without a replica on disk. */
  readonly folder: DataFolder | undefined
  readonly runtime: Runtime
  readonly log: Log
  readonly signal?: AbortSignal
  /** Level's own repair of a folder; in a process of its own unless it is said otherwise. */
  readonly repair?: ((folder: string) => Promise<void>) | undefined
  /** Called once when another program holds the replica and this one begins to wait. */
  readonly onWait?: () => void
}

/** The operator's full copy of the cluster, with the record of what was exchanged with its nodes. */
export class LocalReplica implements AsyncDisposable {
  readonly cluster: ClusterId
  readonly replica: Replica
  readonly folder: DataFolder | undefined
  readonly #close: () => Promise<void>
  #exchange: ExchangeLog

  private constructor(
    options: LocalReplicaOptions,
    replica: Replica,
    exchange: ExchangeLog,
    close: () => Promise<void>,
  ) {
    this.cluster = options.cluster
    this.folder = options.folder
    this.replica = replica
    this.#exchange = exchange
    this.#close = close
  }

  /** Makes the folder where it is missing. Throws MAKI_LOCKED when another `maki` holds it for longer than 10 s. */
  static async open(options: LocalReplicaOptions): Promise<LocalReplica> {
    const { cluster, folder, runtime, log } = options
    await using stack = new AsyncDisposableStack()
    const store = stack.use(folder === undefined ? createMemoryStore(runtime) : await openNamed(folder, options))
    const checkpoint = folder && { file: folder.checkpoint }
    const replica = stack.use(await Replica.open({ store, cluster, runtime, log, checkpoint }))
    const known = folder === undefined ? EMPTY_EXCHANGE_LOG : await readExchangeLog(folder.exchange)
    // What a damaged store has lost lies before the nodes' cursors: everything is asked for again.
    const exchange = store.damaged === undefined ? known : { ...known, cursors: {} }
    const owned = stack.move()
    return new LocalReplica(options, replica, exchange, () => owned.disposeAsync())
  }

  /** False until the operation that creates the cluster was pulled: nothing may be signed before. */
  get isKnown(): boolean {
    return findCluster(this.replica.state) !== undefined
  }

  get exchange(): ExchangeLog {
    return this.#exchange
  }

  isMember(key: MemberKey): boolean {
    // Not what the state says: any operator may write that, and only who outranks somebody removes them.
    return this.replica.isMember(key)
  }

  async saveExchange(change: Partial<ExchangeLog>): Promise<void> {
    const next = { ...this.#exchange, ...change }
    if (this.folder !== undefined) await writeExchangeLog(this.folder.exchange, next)
    this.#exchange = next
  }

  /** To be called when all that a node has was pulled: a store that was found damaged may then sign again. */
  async markWhole(): Promise<void> {
    await this.replica.markWhole()
  }

  /** Own operations (of `authors`) that no node is known to have, in the order in which they were made. */
  async listOutbox(authors: ReadonlySet<MemberKey>): Promise<Outbox> {
    const operations: Operation[] = []
    for (let after = this.#exchange.delivered; ; ) {
      const page = await this.replica.page(after, PAGE)
      for (const bytes of page.operations) {
        const operation = readOperation(bytes, this.cluster, { signatureChecked: true })
        if (authors.has(operation.author)) operations.push(operation)
      }
      after = page.cursor
      if (!page.more) return { operations, cursor: page.cursor }
    }
  }

  /** At most `limit` of the operations that one follows, the nearest, in total order. */
  async listAncestors(operation: Operation, limit: number): Promise<readonly Operation[]> {
    const found = new Map<OperationId, Operation>()
    const queue = [...operation.heads]
    for (let at = 0; at < queue.length && found.size < limit; at++) {
      const id = queue[at] as OperationId
      if (found.has(id)) continue
      const ancestor = await this.replica.read(id)
      if (ancestor === undefined) continue
      found.set(id, ancestor)
      queue.push(...ancestor.heads)
    }
    return [...found.values()].sort(compareOperations)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close()
  }
}

export interface Outbox {
  readonly operations: readonly Operation[]
  /** The end of the local store: what `delivered` becomes when all of `operations` are acknowledged. */
  readonly cursor: string
}

async function openStore(folder: DataFolder, options: LocalReplicaOptions): Promise<OperationStore> {
  const { cluster, runtime, log, signal, repair = repairAside } = options
  await makeDataFolder(folder)
  const deadline = runtime.monotonic() + LOCK_WAIT_MS
  for (let waits = 0; ; waits++) {
    try {
      return await openLevelStore({ directory: folder.replica, cluster, runtime, log, repair })
    } catch (error) {
      if (!(error instanceof MakiError) || error.code !== 'MAKI_LOCKED') throw error
      if (runtime.monotonic() >= deadline) {
        throw new MakiError(
          'MAKI_LOCKED',
          `another maki has used the replica in ${folder.path} for more than ${LOCK_WAIT_MS / 1000} s`,
          {
            cause: error,
            hint: 'Wait until it has finished, or end it; then run the command again.',
          },
        )
      }
      if (waits === 0) options.onWait?.()
    }
    await pause(runtime, LOCK_RETRY_MS, signal)
  }
}

/** Resolves after the delay; rejects with the signal's reason when it is aborted first. */
export function pause(runtime: Pick<Runtime, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal?.aborted === true) reject(signal.reason)
  const onAbort = () => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const cancel = runtime.after(delayMs, resolve)
  return promise.finally(() => {
    cancel()
    signal?.removeEventListener('abort', onAbort)
  })
}

/** As `openStore`; a disk that takes no more, or may not be written, is said to be the one of the copy on this computer. */
async function openNamed(folder: DataFolder, options: LocalReplicaOptions): Promise<OperationStore> {
  try {
    return await openStore(folder, options)
  } catch (thrown) {
    if (!(thrown instanceof MakiError)) throw thrown
    const { code, message } = thrown
    const about = `the copy of the cluster in ${folder.path} cannot be opened: ${message}`
    if (code === 'MAKI_DISK_FULL')
      throw new MakiError(code, about, { cause: thrown, hint: 'Make room on its disk, then type this again.' })
    if (code === 'MAKI_STORE_FAILED')
      throw new MakiError(code, about, {
        cause: thrown,
        hint: 'Look whether you may write there, and what its disk says.',
      })
    throw thrown
  }
}
