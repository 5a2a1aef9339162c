import { asMakiError, ID_BYTES, type OperationId } from '../../core/index.ts'
import type { GossipReplica, MergeReport } from '../ports.ts'
import { parseStateVector } from '../replica/update-reader.ts'
import { chunkBySize, compareIds, decodeIds, differingBuckets, encodeIds } from './anti-entropy.ts'
import type { DropReason, GossipCounters, GossipEffect, GossipFrame, GossipInput, LinkId } from './gossip-messages.ts'
import { LinkAllowance } from './link-allowance.ts'
import { encodeSyncMessage, isEmptyUpdate, parseSyncMessage, type SyncMessage } from './sync-message.ts'
import { type FrameOf, MAX_IDS } from './wire.ts'

/** Mean time between two rounds of anti-entropy: what push lost is repaired in a few of them. A round is some 100 bytes. */
const ANTI_ENTROPY_MS = 3000
/** A live peer sends its heartbeat every 5 s; six of them lost is no accident. */
export const LINK_SILENCE_MS = 30_000
/** Entries that a replica refuses are a bug or an attack. A few may come from a peer that is older than we are. */
const MAX_REFUSED = 16
/** Ours have one or two; what a peer put into a larger one is asked for by id, at the pace of the reader. */
const MAX_UPDATE_BYTES = 16 * 1024 * 1024
const OPERATIONS_FRAME_BYTES = 1024 * 1024
const OPERATIONS_FRAME_COUNT = 1000
/**
 * Frames of a link that told nothing new, beside as many as others told us something: each thing comes by each link once,
 * and the first of them is the one that is new. So many more are a flood.
 */
const MAX_IDLE_FRAMES = 10_000
/** Taken off that number at each tick: what one second of them costs is no harm. */
const IDLE_FRAMES_A_TICK = 100
/** Read from the store at once; at 1 MB each, the worst case is what one link can make us hold. */
const READ_BATCH = 32

interface Link {
  readonly id: LinkId
  heardMs: number
  refused: number
  readonly allowance: LinkAllowance
  /** A sync step 1 was sent and not answered to the end: a gap meanwhile asks for nothing more. */
  asking: boolean
  /** The answer to a state vector is under way; another vector meanwhile is answered by it. */
  answering: boolean
  /** Frames that told nothing new, less what is allowed. */
  idle: number
  /** The last round of anti-entropy found other vectors; a second time in a row, the inventories are compared as well. */
  differed: boolean
  /** Asked for by id since the last round, at most MAX_IDS; not asked for again before the next. */
  readonly requested: Set<OperationId>
  /** To be sent, of ours only: never larger than our own set. */
  readonly outbox: Set<OperationId>
  reading: boolean
}

/**
 * Spreads operations between authenticated replicas: `(input, now) -> effects`, without socket, clock or store of its
 * own. New operations are pushed at once to every link but the one they came by; what was lost is repaired by
 * anti-entropy. Frames may be repeated, or lost with their link, at any time. Hostile frames drop their link and
 * nothing else.
 */
export class Gossip {
  readonly counters: GossipCounters = { updatesPushed: 0, refused: 0, gaps: 0, digests: 0, repairs: 0, drops: 0 }
  readonly #replica: GossipReplica
  readonly #random: () => number
  readonly #links = new Map<LinkId, Link>()
  #nextRoundMs = 0

  /** `random` is uniform in [0, 1). */
  constructor(replica: GossipReplica, random: () => number) {
    this.#replica = replica
    this.#random = random
  }

  /** Never throws for what a peer sent. Inputs of links that are down are ignored. */
  handle(input: GossipInput, nowMs: number): GossipEffect[] {
    if (input.kind === 'update') return this.#push(input.update, input.origin)
    if (input.kind === 'tick') return this.#tick(nowMs)
    if (input.kind === 'link-up') {
      this.#links.set(input.link, newLink(input.link, nowMs))
      return this.#ask(this.#links.get(input.link) as Link)
    }
    const link = this.#links.get(input.link)
    if (link === undefined) return []
    switch (input.kind) {
      case 'link-down':
        this.#links.delete(link.id)
        return []
      case 'heard':
        link.heardMs = nowMs
        return []
      case 'frame':
        link.heardMs = nowMs
        try {
          return this.#receive(link, input.frame)
        } catch (thrown) {
          const error = asMakiError(thrown)
          if (error.code !== 'MAKI_PROTOCOL') throw thrown
          return this.#drop(link, 'protocol', error.message)
        }
      case 'merged':
        return this.#settle(link, input.cause === 'answer', input.report)
      case 'operations-read':
        link.reading = false
        return [...sendOperations(link, input.operations), ...this.#read(link)]
      case 'diff-read': {
        link.answering = input.more
        const update = input.update ?? EMPTY_UPDATE
        // Only the last part answers the question; the peer asks nothing again before it.
        return [send(link, encodeSync({ kind: input.more ? 'update' : 'step2', update }))]
      }
      default:
        return input satisfies never
    }
  }

  #push(update: Uint8Array, origin: LinkId | undefined): GossipEffect[] {
    for (const link of this.#links.values()) link.idle = Math.max(0, link.idle - 1)
    const links = [...this.#links.keys()].filter((id) => id !== origin)
    if (links.length === 0) return []
    this.counters.updatesPushed += links.length
    // A crowd of writers fills rounds that no link takes at once: peers then ask for what they lack, at their own pace.
    const frame: GossipFrame =
      update.length > MAX_UPDATE_BYTES
        ? { type: 'table', table: this.#replica.inventory.table() }
        : encodeSync({ kind: 'update', update })
    return [{ kind: 'send', links, frame }]
  }

  #tick(nowMs: number): GossipEffect[] {
    const effects: GossipEffect[] = []
    for (const link of [...this.#links.values()]) {
      link.allowance.renew()
      link.idle = Math.max(0, link.idle - IDLE_FRAMES_A_TICK)
      const silentMs = nowMs - link.heardMs
      if (silentMs > LINK_SILENCE_MS)
        effects.push(...this.#drop(link, 'silent', `nothing was heard for ${silentMs} ms`))
    }
    if (nowMs < this.#nextRoundMs) return effects
    this.#nextRoundMs = nowMs + ANTI_ENTROPY_MS * (0.5 + this.#random())
    const links = [...this.#links.values()]
    for (const link of links) link.requested.clear()
    const chosen = links[Math.floor(this.#random() * links.length)]
    if (chosen === undefined) return effects
    // An answer that never came must not keep a link from asking for ever.
    chosen.asking = false
    this.counters.digests++
    const frame = { type: 'digest', vector: this.#replica.stateVector(), root: this.#replica.inventory.root() } as const
    return [...effects, send(chosen, frame)]
  }

  #receive(link: Link, frame: GossipFrame): GossipEffect[] {
    const { type } = frame
    if ((type === 'digest' || type === 'table' || type === 'bucket') && !link.allowance.take(type)) return []
    switch (frame.type) {
      case 'sync':
        return this.#sync(link, frame.message)
      case 'digest':
        return this.#compare(link, frame)
      case 'table': {
        const { inventory } = this.#replica
        return differingBuckets(inventory.table(), frame.table).map((index) =>
          send(link, { type: 'bucket', index, ids: inventory.bucketBytes(index).subarray(0, MAX_IDS * ID_BYTES) }),
        )
      }
      case 'bucket': {
        const { lacking, surplus } = compareIds(this.#replica.inventory.bucket(frame.index), decodeIds(frame.ids))
        return [...this.#request(link, lacking), ...this.#offer(link, surplus)]
      }
      case 'request':
        return this.#offer(link, decodeIds(frame.ids))
      case 'operations':
        return [{ kind: 'merge-operations', link: link.id, operations: frame.operations }]
      default:
        return frame satisfies never
    }
  }

  #sync(link: Link, bytes: Uint8Array): GossipEffect[] {
    const message = parseSyncMessage(bytes)
    switch (message.kind) {
      case 'step1':
        return this.#answer(link, message.vector)
      case 'step2':
        link.asking = false
        if (isEmptyUpdate(message.update)) return []
        return [{ kind: 'merge-update', link: link.id, cause: 'answer', update: message.update }]
      case 'update':
        return [{ kind: 'merge-update', link: link.id, cause: 'update', update: message.update }]
      default:
        return message satisfies never
    }
  }

  #answer(link: Link, vector: Uint8Array): GossipEffect[] {
    if (link.answering || !link.allowance.take('vector')) return []
    parseStateVector(vector)
    link.answering = true
    return [{ kind: 'diff', link: link.id, vector }]
  }

  #ask(link: Link): GossipEffect[] {
    if (link.asking) return []
    link.asking = true
    return [send(link, encodeSync({ kind: 'step1', vector: this.#replica.stateVector() }))]
  }

  /** Equal vectors do not prove equal sets: two processes may have written into the same slot of the document. */
  #compare(link: Link, digest: FrameOf<'digest'>): GossipEffect[] {
    const equalVectors = Buffer.compare(digest.vector, this.#replica.stateVector()) === 0
    const equalRoots = Buffer.compare(digest.root, this.#replica.inventory.root()) === 0
    // What a long answer has still to bring needs not be sent by id.
    const again = link.differed && !link.answering
    link.differed = !equalVectors && !equalRoots
    const effects: GossipEffect[] = equalRoots ? [{ kind: 'agreed', link: link.id }] : []
    if (!equalVectors) {
      link.asking = false
      effects.push(...this.#answer(link, digest.vector), ...this.#ask(link))
    }
    if (!equalRoots && (equalVectors || again)) {
      this.counters.repairs++
      effects.push(send(link, { type: 'table', table: this.#replica.inventory.table() }))
    }
    return effects
  }

  #settle(link: Link, answered: boolean, report: MergeReport): GossipEffect[] {
    const effects: GossipEffect[] = []
    if (report.refused.length > 0) {
      this.counters.refused += report.refused.length
      link.refused += report.refused.length
      if (link.refused > MAX_REFUSED) return this.#drop(link, 'refused-operations', report.refused[0] as string)
    }
    // Nor what it brings, asked for by id.
    if (report.added.length > 0) link.differed = false
    else if (++link.idle > MAX_IDLE_FRAMES)
      return this.#drop(link, 'flood', `${MAX_IDLE_FRAMES} frames in a row told nothing new`)
    if (report.gap) {
      this.counters.gaps++
      // A gap in the answer itself would be asked for ever; anti-entropy goes by ids then.
      if (!answered) effects.push(...this.#ask(link))
    }
    return [...effects, ...this.#request(link, report.missing)]
  }

  #request(link: Link, ids: readonly OperationId[]): GossipEffect[] {
    const room = MAX_IDS - link.requested.size
    const wanted = ids.filter((id) => !link.requested.has(id) && !this.#replica.has(id)).slice(0, room)
    if (wanted.length === 0) return []
    for (const id of wanted) link.requested.add(id)
    return [send(link, { type: 'request', ids: encodeIds(wanted) })]
  }

  #offer(link: Link, ids: readonly OperationId[]): GossipEffect[] {
    for (const id of ids) if (this.#replica.has(id)) link.outbox.add(id)
    return this.#read(link)
  }

  #read(link: Link): GossipEffect[] {
    if (link.reading || link.outbox.size === 0) return []
    link.reading = true
    const ids: OperationId[] = []
    for (const id of link.outbox) {
      ids.push(id)
      link.outbox.delete(id)
      if (ids.length === READ_BATCH) break
    }
    return [{ kind: 'read-operations', link: link.id, ids }]
  }

  #drop(link: Link, reason: DropReason, detail: string): GossipEffect[] {
    this.#links.delete(link.id)
    this.counters.drops++
    return [{ kind: 'drop', link: link.id, reason, detail }]
  }
}

/** The V1 update that says nothing: no structs, no deletions. */
const EMPTY_UPDATE = new Uint8Array([0, 0])

const encodeSync = (message: SyncMessage): GossipFrame => ({ type: 'sync', message: encodeSyncMessage(message) })

const newLink = (id: LinkId, nowMs: number): Link => ({
  id,
  heardMs: nowMs,
  refused: 0,
  allowance: new LinkAllowance(),
  asking: false,
  answering: false,
  idle: 0,
  differed: false,
  requested: new Set(),
  outbox: new Set(),
  reading: false,
})

const send = (link: Link, frame: GossipFrame): GossipEffect => ({ kind: 'send', links: [link.id], frame })

function sendOperations(link: Link, operations: readonly Uint8Array[]): GossipEffect[] {
  return chunkBySize(operations, OPERATIONS_FRAME_COUNT, OPERATIONS_FRAME_BYTES).map((chunk) =>
    send(link, { type: 'operations', operations: chunk }),
  )
}
