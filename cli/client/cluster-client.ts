import {
  asMakiError,
  type Change,
  findCluster,
  MakiError,
  type MemberKey,
  type Operation,
  type OperationId,
  type Runtime,
  type Signer,
  type State,
  shortId,
} from '../../core/index.ts'
import type { Profile } from '../config/index.ts'
import { describeClocks } from './compare-clocks.ts'
import { type Connect, createConnect } from './connect.ts'
import { deliver, publishes } from './deliver.ts'
import { readKeyFile } from './identity.ts'
import type { LocalReplica, Outbox } from './local-replica.ts'
import { MachineFinder, type Reached } from './machine-finder.ts'
import { type LocalOptions, openLocal } from './open-local.ts'
import { OutboxBlobs } from './outbox-blobs.ts'
import { findProfileKey, requireProfileKey } from './profile-key.ts'

export interface ClusterClientOptions extends LocalOptions {
  readonly offline: boolean
  /** The machine to ask first. */
  readonly node?: string
  /** How machines are reached; for tests and later ways in. */
  readonly connect?: Connect
  /** Something that a person should look at, though the command goes on. */
  readonly onCaution?: (text: string) => void
}

export interface ExchangeReport {
  /** The machine that was exchanged with; undefined when none was reached. */
  readonly machine: string | undefined
  /** Operations that came from it, in its order. */
  readonly pulled: readonly OperationId[]
  readonly delivered: readonly OperationId[]
  /** Own operations that no node has yet. */
  readonly waiting: readonly Operation[]
  /** Why no machine was reached, a reason for each; empty when one was, and with `--offline`. */
  readonly unreachable: readonly MakiError[]
}

/**
 * The cluster as commands see it: a local replica that is read and written at once, and an exchange with the first
 * machine that answers. What is committed is durable here; it waits in the outbox until a node has acknowledged it.
 */
export class ClusterClient implements AsyncDisposable {
  readonly profile: Profile
  /** Undefined for an identity without a replica on disk. */
  readonly blobs: OutboxBlobs | undefined
  /** The way to each machine by itself. */
  readonly connect: Connect
  readonly #options: ClusterClientOptions
  readonly #finder: MachineFinder
  #local: LocalReplica
  #clocksCompared = false

  private constructor(options: ClusterClientOptions, local: LocalReplica, finder: MachineFinder, connect: Connect) {
    this.#options = options
    this.profile = options.profile
    this.connect = connect
    this.#local = local
    this.blobs = local.folder === undefined ? undefined : new OutboxBlobs(local.folder.blobs)
    this.#finder = finder
  }

  static async open(options: ClusterClientOptions): Promise<ClusterClient> {
    const { profile, node, offline, host } = options
    const { signal, runtime } = host
    const connect = options.connect ?? createConnect(runtime)
    const finder = new MachineFinder({ profile, node, offline, connect, signal, runtime, onLost: options.onCaution })
    return new ClusterClient(options, await openLocal(options), finder, connect)
  }

  /** The copy of the cluster on this computer. */
  get local(): LocalReplica {
    return this.#local
  }

  get state(): State {
    return this.local.replica.state
  }

  get runtime(): Runtime {
    return this.#options.host.runtime
  }

  get signal(): AbortSignal {
    return this.#options.host.signal
  }

  get isOffline(): boolean {
    return this.#options.offline
  }

  /** The first machine that answers, asked once; undefined with `--offline` and when none does. */
  reach(): Promise<Reached | undefined> {
    return this.#finder.reach()
  }

  /** As `reach`, but throws MAKI_UNREACHABLE with every machine's reason. */
  requireReach(): Promise<Reached> {
    return this.#finder.require()
  }

  /** Why no machine is reached, and what to do. */
  unreachableError(): MakiError {
    return this.#finder.explain()
  }

  /**
   * Brings what a machine has, the first one that answers unless it is given. Resolves with the new ids; undefined when none was
   * reached.
   */
  async pull(from?: Pick<Reached, 'machine' | 'control'>): Promise<readonly OperationId[] | undefined> {
    const reached = from ?? (await this.reach())
    if (reached === undefined) return undefined
    const added: OperationId[] = []
    const refused: string[] = []
    const { machine, control } = reached
    this.#compareClocks(machine.name, control.clockAheadMs)
    let cursor = this.local.exchange.cursors[machine.name]
    for (;;) {
      const page = await control.operations(cursor, this.signal)
      const report = await this.local.replica.merge(page.operations)
      added.push(...report.added)
      refused.push(...report.refused)
      if (page.cursor !== cursor) {
        cursor = page.cursor
        await this.local.saveExchange({ cursors: { ...this.local.exchange.cursors, [machine.name]: page.cursor } })
      }
      if (!page.more) break
    }
    await this.local.markWhole()
    await this.#settle(added)
    if (refused.length > 0) {
      this.#options.onCaution?.(`${machine.name} sent ${refused.length} operations that are not valid: ${refused[0]}`)
    }
    return added
  }

  /** Own operations that no node is known to have, in the order in which they were made. */
  async listWaiting(): Promise<readonly Operation[]> {
    return (await this.#outbox()).operations
  }

  /**
   * Pulls, then hands over what waits. Resolves also when nothing was reached; throws the node's refusal when it takes
   * none of an operation made by this command (`made`), and warns of others.
   */
  async exchange(made?: OperationId): Promise<ExchangeReport> {
    try {
      // What was just made may need files that are only where this command brought them.
      const pulled = await (made === undefined ? this.#finder.persist(() => this.pull()) : this.pull())
      if (pulled !== undefined) return { ...(await this.#deliver(made)), pulled, unreachable: [] }
    } catch (thrown) {
      // The node went away under the exchange; what was not acknowledged waits.
      const error = asMakiError(thrown)
      if (this.signal.aborted || error.exitCode !== 3) throw thrown
      await this.#finder.lose(error)
    }
    return {
      machine: undefined,
      pulled: [],
      delivered: [],
      waiting: await this.listWaiting(),
      unreachable: this.#finder.faults,
    }
  }

  /** The key that this person signs with. Throws, and says what to do, where it is no member of the cluster. */
  async requireSigner(): Promise<Signer> {
    const { keyFile } = this.#options
    const signer =
      keyFile === undefined
        ? await requireProfileKey(this.profile, this.#options.host.runtime)
        : await readKeyFile(keyFile)
    if (!this.local.isKnown) {
      const why = await this.reach().then(() => this.unreachableError())
      throw new MakiError('MAKI_UNREACHABLE', `nothing is known of the cluster here yet, and ${why.message}`, {
        cause: why,
        ...(why.hint === undefined ? {} : { hint: why.hint }),
      })
    }
    if (this.local.replica.findMember(signer.key) !== undefined && !this.local.isMember(signer.key)) {
      throw new MakiError(
        'MAKI_OPERATION_REFUSED',
        `your key ${signer.key} was removed from this cluster, and a removed key never returns`,
        { hint: 'Make a new one: move the key file away, then: maki operator key' },
      )
    }
    if (!this.local.isMember(signer.key)) {
      throw new MakiError('MAKI_OPERATION_REFUSED', `your key ${signer.key} is no member of this cluster`, {
        hint: `On a computer that is: maki operator add NAME ${signer.key}`,
      })
    }
    return signer
  }

  /**
   * Makes an operation: signed, durable here, in the outbox. Throws MAKI_OPERATION_REFUSED for one that would not count: no
   * node would refuse it, and nothing would come of it.
   */
  async commit(
    changes: readonly Change[],
    options: { signer?: Signer; message?: string | undefined } = {},
  ): Promise<Operation> {
    const signer = options.signer ?? (await this.requireSigner())
    const { reason } = this.local.replica.preview(signer.key, changes)
    if (reason !== undefined) {
      throw new MakiError('MAKI_OPERATION_REFUSED', `this would not count: ${reason}`, {
        hint: 'An operator may do it; maki operator list shows who may do what.',
      })
    }
    return this.local.replica.commit(signer, changes, options.message)
  }

  /**
   * Lets every other `maki` use the copy on this computer while `wait` takes long, and has it again afterwards, with what they
   * wrote. Meanwhile, and after a rejection, only `state` may be asked, and says what it said before.
   */
  async lend<T>(wait: () => Promise<T>): Promise<T> {
    // What is on no disk is in nobody's way.
    if (this.#local.folder === undefined) return await wait()
    await this.blobs?.[Symbol.asyncDispose]()
    await this.#local[Symbol.asyncDispose]()
    const result = await wait()
    this.#local = await openLocal(this.#options)
    return result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#finder[Symbol.asyncDispose]()
    await this.blobs?.[Symbol.asyncDispose]()
    await this.local[Symbol.asyncDispose]()
  }

  /** Said once: a clock that is wrong is no reason to stop, but others' changes win or lose by it. */
  #compareClocks(machine: string, aheadMs: number | undefined): void {
    if (this.#clocksCompared || aheadMs === undefined) return
    this.#clocksCompared = true
    const caution = describeClocks(machine, aheadMs)
    if (caution !== undefined) this.#options.onCaution?.(caution)
  }

  async #outbox(): Promise<Outbox> {
    const outbox = await this.local.listOutbox(await this.#authors())
    const received = new Set(this.local.exchange.received)
    return { ...outbox, operations: outbox.operations.filter(({ id }) => !received.has(id)) }
  }

  /** Keeps apart what came from a node though its author is this very key, used elsewhere too: it does not wait here. */
  async #settle(added: readonly OperationId[]): Promise<void> {
    const came = new Set(added)
    const outbox = await this.#outbox()
    const waits = outbox.operations.some(({ id }) => !came.has(id))
    const own = outbox.operations.filter(({ id }) => came.has(id)).map(({ id }) => id)
    await this.local.saveExchange({
      exchangedAtMs: this.#options.host.runtime.now(),
      ...(waits ? { received: [...this.local.exchange.received, ...own] } : { delivered: outbox.cursor, received: [] }),
    })
  }

  /** Whose operations are made here; with the recovery key one makes them wherever one happens to be. */
  async #authors(): Promise<ReadonlySet<MemberKey>> {
    const { keyFile } = this.#options
    const signer = keyFile === undefined ? await findProfileKey(this.profile) : await readKeyFile(keyFile)
    const recovery = findCluster(this.state)?.recovery
    return new Set([signer?.key, recovery].filter((key) => key !== undefined))
  }

  async #deliver(made: OperationId | undefined): Promise<Pick<ExchangeReport, 'machine' | 'delivered' | 'waiting'>> {
    const { control, machine } = await this.requireReach()
    const outbox = await this.#outbox()
    const source = {
      bringBlobs: async (operation: Operation) => this.blobs?.bring(operation, control, this.signal),
      listAncestors: (operation: Operation, limit: number) => this.local.listAncestors(operation, limit),
    }
    const report = await deliver(outbox.operations, control, source, this.signal)
    const waiting = report.refused.map(({ operation }) => operation)
    if (waiting.length === 0) await this.local.saveExchange({ delivered: outbox.cursor, received: [] })
    if (!waiting.some(publishes)) await this.blobs?.clear()
    for (const { operation, error, isEarly } of report.refused) {
      if (operation.id === made && !isEarly) throw error
      const why = isEarly ? `it has not heard yet what that follows (${error.message})` : error.message
      this.#options.onCaution?.(`${machine.name} does not take operation ${shortId(operation.id)}, which waits: ${why}`)
    }
    return { machine: machine.name, delivered: report.delivered, waiting }
  }
}
