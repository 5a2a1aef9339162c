import { asMakiError, type Log, type Runtime } from '../../core/index.ts'
import type { GossipReplica, MergeReport } from '../ports.ts'
import { Gossip } from './gossip.ts'
import type { GossipLink } from './gossip-link.ts'
import type { GossipCounters, GossipEffect, GossipInput, LinkId, MergeCause } from './gossip-messages.ts'
import { encodeFrame } from './wire.ts'

interface GossipRunnerOptions {
  readonly replica: GossipReplica
  readonly runtime: Runtime
  readonly log: Log
  findLink(id: LinkId): GossipLink | undefined
  /** A merge has stored something; membership may have changed. */
  merged(): void
  agreed(link: GossipLink): void
}

/** Carries out what the gossip state machine asks for, and tells it what came of it. */
export class GossipRunner {
  readonly #options: GossipRunnerOptions
  readonly #gossip: Gossip
  readonly #pending = new Set<Promise<void>>()
  readonly #unsubscribe: () => void

  constructor(options: GossipRunnerOptions) {
    this.#options = options
    this.#gossip = new Gossip(options.replica, () => options.runtime.random())
    this.#unsubscribe = options.replica.onUpdate((update, origin) => {
      this.feed({ kind: 'update', update, origin })
      options.merged()
    })
  }

  get counters(): Readonly<GossipCounters> {
    return this.#gossip.counters
  }

  feed(input: GossipInput): void {
    for (const effect of this.#gossip.handle(input, this.#options.runtime.monotonic())) this.#perform(effect)
  }

  /** Merges operations that did not come as gossip but by this link: what admits its peer. */
  mergeOperations(link: GossipLink, operations: readonly Uint8Array[]): void {
    this.#merge(link, 'operations', () => this.#options.replica.mergeOperations(operations, link.id))
  }

  /** Resolves when no merge and no read is under way; nothing is pushed after the call. */
  async close(): Promise<void> {
    this.#unsubscribe()
    while (this.#pending.size > 0) await Promise.all(this.#pending)
  }

  #perform(effect: GossipEffect): void {
    const { replica, findLink } = this.#options
    if (effect.kind === 'send') {
      const framed = encodeFrame(effect.frame)
      for (const id of effect.links) findLink(id)?.send(framed)
      return
    }
    const link = findLink(effect.link)
    if (link === undefined) return
    switch (effect.kind) {
      case 'merge-update':
        this.#merge(link, effect.cause, () => replica.mergeUpdate(effect.update, link.id))
        return
      case 'merge-operations':
        this.#merge(link, 'operations', () => replica.mergeOperations(effect.operations, link.id))
        return
      case 'read-operations':
        link.whenDrained(() =>
          this.#track(link, async () => {
            const operations = await replica.readOperations(effect.ids)
            this.feed({ kind: 'operations-read', link: link.id, operations })
          }),
        )
        return
      case 'diff':
        this.#answer(link, replica.diff(effect.vector))
        return
      case 'agreed':
        this.#options.agreed(link)
        return
      case 'drop':
        link.close(effect.reason, effect.detail)
        return
      default:
        effect satisfies never
    }
  }

  /** One part is read ahead, so that the last one is known as such. A link that closes leaves the rest unread. */
  #answer(link: GossipLink, updates: AsyncGenerator<Uint8Array, void, void>, ahead?: Uint8Array): void {
    link.whenDrained(() =>
      this.#track(link, async () => {
        const update = ahead ?? (await updates.next()).value ?? undefined
        const following = update === undefined ? undefined : ((await updates.next()).value ?? undefined)
        const more = following !== undefined
        this.feed({ kind: 'diff-read', link: link.id, update, more })
        if (more && this.#options.findLink(link.id) === link) this.#answer(link, updates, following)
      }),
    )
  }

  #merge(link: GossipLink, cause: MergeCause, start: () => Promise<MergeReport>): void {
    const work = this.#track(link, async () => {
      const report = await start()
      this.feed({ kind: 'merged', link: link.id, cause, report })
      if (report.added.length > 0) this.#options.merged()
    })
    link.track(work)
  }

  /** A replica that fails is our trouble: said in the log, and the link goes until the replica is well again. */
  #track(link: GossipLink, run: () => Promise<void>): Promise<void> {
    const work = run()
      .catch((thrown: unknown) => {
        const error = asMakiError(thrown)
        this.#options.log.error('gossip.failed', { link: link.id, code: error.code, message: error.message })
        link.close(error.code === 'MAKI_PROTOCOL' ? 'protocol' : 'replica-failed', error.message)
      })
      .finally(() => this.#pending.delete(work))
    this.#pending.add(work)
    return work
  }
}
