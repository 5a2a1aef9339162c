import {
  type Cancel,
  Emitter,
  type Hostname,
  listNodes,
  type MemberKey,
  type OperationId,
  type Runtime,
  type SealEpochKey,
} from '../../core/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import type { GossipService, Replica, SharedTicketKeys, Unservable } from '../../replication/index.ts'
import type { ServicePorts } from '../health/index.ts'
import type { HostLoad } from './host-load.ts'
import type { NodeHealth } from './node-health.ts'
import { NOTHING_SAID, readSaid, type Said } from './said.ts'
import type { SaidMesh } from './said-mesh.ts'
import type { Trouble } from './trouble-watch.ts'

/** An awareness entry has 64 KiB, and whoever may write can make a thousand heads: we say the greatest. */
const MAX_HEADS_SAID = 64
/** For the latest switches: room for 150 domains of the longest names, and 700 of usual ones. */
const MAX_ACTIVE_BYTES = 46 * 1024
/** For what only goes wrong: room for the first twenty domains of the longest names, and for some merges. */
const MAX_UNSERVABLE_BYTES = 6 * 1024
const MAX_MERGED_BYTES = 3 * 1024
const MAX_REASON_LENGTH = 100
/** An id, and what MessagePack spends on it and on the name. */
const ACTIVE_BYTES = 52 + 2 + 3
/** Changes closer together are said at once. */
const GATHER_MS = 10

export interface PresenceOptions {
  readonly replica: Replica
  readonly gossip: GossipService
  /** The release that each domain serves here, oldest switch first. */
  readonly active: () => ReadonlyMap<Hostname, OperationId>
  /** Of those that serve a merge: its sides. */
  readonly merged: () => ReadonlyMap<Hostname, readonly OperationId[]>
  readonly unservable: () => readonly Unservable[]
  /** Damaged blobs that no peer has given back yet. */
  readonly damagedBlobs: () => number
  /** Seal epochs that were granted to this node in vain, and keys of session tickets, sealed for the nodes. */
  readonly seals?: {
    readonly keeper: { readonly lacks: readonly SealEpochKey[] }
    readonly tickets: { readonly said: SharedTicketKeys | undefined }
  }
  /** What it sees of others, and concludes of all. */
  readonly health?: Pick<NodeHealth, 'observations' | 'describe'>
  /** Null while it is not known. */
  readonly host?: () => HostLoad | null
  /** How its mesh is; null without one. */
  readonly mesh?: () => SaidMesh | null
  /** What went wrong with visitors lately. */
  readonly trouble?: () => Trouble
  /** The ports on which it listens. */
  readonly serves?: ServicePorts
  readonly version: string
  readonly self: MemberKey
  readonly runtime: Pick<Runtime, 'after'>
}

/** What this node tells the others about itself, and what it heard from them. */
export class Presence implements Disposable {
  readonly events = new Emitter<{ change: readonly NodeStatus[] }>()
  readonly #options: PresenceOptions
  readonly #unsubscribe: (() => void)[]
  #cancel: Cancel | undefined
  #isNews = false
  #isClosed = false
  #said = ''

  constructor(options: PresenceOptions) {
    this.#options = options
    const { replica, gossip } = options
    this.#unsubscribe = [
      replica.events.on('change', () => this.refresh()),
      gossip.events.on('awareness', () => this.#tellSoon()),
    ]
    this.#say()
  }

  /** To be called when something changed that others should know. */
  refresh(): void {
    this.#isNews = true
    this.#tellSoon()
  }

  /** Every node of the cluster, by name. */
  nodes(): readonly NodeStatus[] {
    const { replica, gossip, self, health, serves } = this.#options
    const listening = serves === undefined ? {} : { serves }
    const heard = new Map(gossip.awareness.entries().map((entry) => [entry.key, entry]))
    const all = listNodes(replica.state)
    const clones = new Set(gossip.awareness.clones())
    const names = new Map(all.map((node) => [node.key, node.name]))
    const isUp = (key: MemberKey) => key === self || heard.get(key)?.up === true
    const nameSilent = ({ mesh, ...said }: Said): Omit<Said, 'mesh'> & Pick<NodeStatus, 'mesh'> => {
      if (mesh === null) return { ...said, mesh }
      const silent = mesh.silent.flatMap(({ node, minutes }) => {
        const name = names.get(node)
        return name === undefined ? [] : { name, minutes, up: isUp(node) }
      })
      return { ...said, mesh: { ...mesh, silent } }
    }
    return all.map(({ key, name }): NodeStatus => {
      const concluded = { ...health?.describe(key), ...(clones.has(key) ? { cloned: true } : {}) }
      if (key === self)
        return { key, name, up: true, lagMs: 0, ...nameSilent(this.#describe()), ...concluded, ...listening }
      const entry = heard.get(key)
      return {
        key,
        name,
        up: entry?.up ?? false,
        lagMs: entry === undefined ? null : Math.round(entry.ageMs),
        ...nameSilent(entry === undefined ? NOTHING_SAID : readSaid(entry.data)),
        ...concluded,
      }
    })
  }

  #tellSoon(): void {
    // What ends after it may still have news, and nobody to tell it to.
    if (this.#isClosed) return
    this.#cancel ??= this.#options.runtime.after(GATHER_MS, () => {
      this.#cancel = undefined
      if (this.#isNews) this.#say()
      this.events.emit('change', this.nodes())
    })
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#cancel?.()
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #say(): void {
    const { gossip, health, seals, serves } = this.#options
    const observations = health?.observations
    const keys = seals?.tickets.said
    this.#isNews = false
    const data = {
      ...this.#describe(),
      lacks: [...(seals?.keeper.lacks ?? [])],
      ...(keys === undefined ? {} : { tickets: { ...keys } }),
      ...(serves === undefined ? {} : { serves: dropUndefined(serves) }),
      ...(observations === undefined ? {} : { observations }),
    }
    // What repeats is the heartbeat's: who makes verdicts change must not make every node speak each time.
    const said = JSON.stringify(data)
    if (said === this.#said) return
    this.#said = said
    gossip.awareness.set(data)
  }

  #describe(): Said {
    const { replica, version, active, merged, unservable, damagedBlobs, host, trouble, mesh } = this.#options
    const { version: foldVersion, ids, state } = replica.digest()
    return {
      version,
      digest: `${foldVersion}-${ids.slice(0, 12)}-${state.slice(0, 12)}`,
      heads: replica
        .heads()
        .slice(-MAX_HEADS_SAID)
        .map(({ id }) => id),
      active: Object.fromEntries(latestThatFit(active())),
      merged: Object.fromEntries(
        firstThatFit(
          [...merged()],
          MAX_MERGED_BYTES,
          ([domain, sides]) => domain.length + sides.length * ACTIVE_BYTES,
        ).map(([domain, sides]) => [domain, [...sides]]),
      ),
      unservable: firstThatFit(unservable().map(shorten), MAX_UNSERVABLE_BYTES, describeBytes),
      damagedBlobs: damagedBlobs(),
      host: host?.() ?? null,
      trouble: copyTrouble(trouble?.()),
      mesh: mesh?.() ?? null,
    }
  }
}

const copyTrouble = (trouble: Trouble | undefined): Said['trouble'] =>
  trouble === undefined ? null : { ...trouble, components: [...trouble.components] }

/** What travels has no undefined values. */
const dropUndefined = (ports: ServicePorts): Record<string, number> =>
  Object.fromEntries(Object.entries(ports).filter((entry): entry is [string, number] => entry[1] !== undefined))

function latestThatFit(active: ReadonlyMap<Hostname, OperationId>): readonly (readonly [Hostname, OperationId])[] {
  const all = [...active]
  let sizeBytes = 0
  const first = all.findLastIndex(([domain]) => {
    sizeBytes += domain.length + ACTIVE_BYTES
    return sizeBytes > MAX_ACTIVE_BYTES
  })
  return all.slice(first + 1)
}

function firstThatFit<T>(items: readonly T[], maxBytes: number, sizeOf: (item: T) => number): T[] {
  let sizeBytes = 0
  const end = items.findIndex((item) => {
    sizeBytes += sizeOf(item)
    return sizeBytes > maxBytes
  })
  return items.slice(0, end === -1 ? items.length : end)
}

function shorten({ domain, release, missing, reason }: Unservable): Said['unservable'][number] {
  return { domain, release, missing, ...(reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON_LENGTH) }) }
}

/** Names of the members, and what MessagePack spends on them; a reason may have four bytes a character. */
const describeBytes = ({ domain, reason = '' }: Said['unservable'][number]): number =>
  domain.length + 2 * ACTIVE_BYTES + 4 * reason.length
