import type { Cancel, Log, Runtime, StateDelta } from '../../core/index.ts'
import { type AliasCounts, type AliasLookup, AliasResolver, AliasTargets } from '../../dns/index.ts'
import type { AliasStatus } from '../../edge/index.ts'
import type { Replica } from '../../replication/index.ts'
import { AliasFile } from './alias-file.ts'
import type { Edge } from './edge-messages.ts'

export interface NodeAliasesOptions {
  readonly replica: Pick<Replica, 'state' | 'snapshot' | 'events'>
  readonly edge: Pick<Edge, 'setAliases'>
  readonly lookup: AliasLookup
  /** Where what was resolved is kept. */
  readonly file: string
  readonly runtime: Runtime
  readonly log: Log
}

/** Targets are listed once in so long at most: for each operation, thousands of ALIAS would keep control from its work. */
const LIST_AGAIN_MS = 500

/** Keeps the edge told of what the targets of the state's ALIAS records resolve to. */
export class NodeAliases implements AsyncDisposable {
  readonly #resolver: AliasResolver
  readonly #file: AliasFile
  readonly #unsubscribe: () => void
  #cancelListing: Cancel | undefined

  /** When it resolves the edge has been told what was known when the node ended; new lookups are under way. */
  static async start(options: NodeAliasesOptions): Promise<NodeAliases> {
    const file = new AliasFile(options.file, options.log)
    return new NodeAliases(options, file, await file.load())
  }

  private constructor(
    { replica, edge, lookup, runtime, log }: NodeAliasesOptions,
    file: AliasFile,
    known: Awaited<ReturnType<AliasFile['load']>>,
  ) {
    this.#file = file
    this.#resolver = new AliasResolver({
      lookup,
      runtime,
      log,
      known,
      onAddresses: (addresses) => edge.setAliases(addresses),
      onEntries: (entries) => file.save(entries),
    })
    const targets = new AliasTargets()
    let isWaiting = false
    const list = () => {
      isWaiting = false
      this.#resolver.watch(targets.list(replica.state))
      this.#cancelListing = runtime.after(LIST_AGAIN_MS, () => {
        this.#cancelListing = undefined
        if (isWaiting) list()
      })
    }
    const follow = (delta: StateDelta) => {
      if (!targets.refresh(delta)) return
      if (this.#cancelListing === undefined) list()
      else isWaiting = true
    }
    follow(replica.snapshot())
    this.#unsubscribe = replica.events.on('change', ({ delta }) => follow(delta))
  }

  get counts(): AliasCounts {
    return this.#resolver.counts
  }

  status(): readonly AliasStatus[] {
    return this.#resolver.entries().map(({ target, ipv4, ipv6, resolvedMs, failing, refused }) => ({
      target,
      ipv4,
      ipv6,
      since: resolvedMs === null ? null : new Date(resolvedMs).toISOString(),
      failing: failing === null ? null : { since: new Date(failing.sinceMs).toISOString(), reason: failing.reason },
      refused,
    }))
  }

  /** What was resolved last is on disk when it resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    this.#cancelListing?.()
    this.#resolver[Symbol.dispose]()
    this.#file.save(this.#resolver.entries())
    await this.#file.settled()
  }
}
