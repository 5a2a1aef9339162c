import type { MemberKey } from '../../core/index.ts'
import { FrameDecoder } from '../../replication/gossip/frame-decoder.ts'
import { Gossip } from '../../replication/gossip/gossip.ts'
import { type GossipEffect, type GossipInput, isGossipFrame } from '../../replication/gossip/gossip-messages.ts'
import { encodeFrame, MAX_FRAME_BYTES } from '../../replication/gossip/wire.ts'
import type { Random } from '../support/seeds.ts'
import { FakeReplica } from './fake-replica.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  run(): void
}

/** A link of two nodes: each side has its own number; what is under way dies with it. */
interface Wire {
  readonly ends: readonly [number, number]
  readonly ids: readonly [number, number]
  open: boolean
  /** Frames of one direction arrive in order: not before the one before. */
  readonly lastMs: [number, number]
}

export interface Faults {
  /** Chances for each frame. */
  loss: number
  duplication: number
  /** Chance for each frame that its link breaks. */
  reset: number
}

export interface SimulatedNode {
  replica: FakeReplica
  gossip: Gossip
  up: boolean
}

/**
 * Gossip over virtual time: every delay, loss and choice comes from one seed. Frames cross it as bytes. Links come back
 * by themselves, as a dialer brings them back, when both ends are up and not apart.
 */
export class GossipSimulation {
  readonly nodes: SimulatedNode[] = []
  readonly faults: Faults = { loss: 0, duplication: 0, reset: 0 }
  nowMs = 0
  /** Frames handed to links, by type. */
  readonly sent: Record<string, number> = {}
  readonly dropped: string[] = []
  readonly pairs: [number, number][] = []
  readonly #random: Random
  readonly #queue: Event[] = []
  readonly #wires = new Map<string, Wire>()
  #order = 0
  #nextLink = 1
  #side: number[]

  constructor(random: Random, size: number) {
    this.#random = random
    this.#side = Array.from({ length: size }, () => 0)
    for (let index = 0; index < size; index++) {
      const replica = new FakeReplica(this.#clientId())
      this.nodes.push({ replica, gossip: this.#createGossip(), up: false })
      this.#start(index, replica)
    }
    const neighbours = size <= 9 ? size - 1 : 4
    for (let a = 0; a < size; a++) {
      const others = random.shuffle(this.nodes.map((_, b) => b).filter((b) => b !== a))
      for (const b of others.slice(0, neighbours)) this.#addPair(Math.min(a, b), Math.max(a, b))
    }
  }

  get totalSent(): number {
    return Object.values(this.sent).reduce((sum, count) => sum + count, 0)
  }

  /** Runs all that happens until then. */
  runUntil(atMs: number): void {
    for (let event = this.#queue[0]; event !== undefined && event.atMs <= atMs; event = this.#queue[0]) {
      this.#pop()
      this.nowMs = event.atMs
      event.run()
    }
    this.nowMs = atMs
  }

  at(atMs: number, run: () => void): void {
    this.#push({ atMs, order: this.#order++, run })
  }

  converged(): boolean {
    const roots = this.nodes
      .filter((node) => node.up)
      .map((node) => Buffer.from(node.replica.inventory.root()).toString('hex'))
    return new Set(roots).size <= 1
  }

  crash(index: number): void {
    this.node(index).up = false
    for (const wire of this.#wires.values()) if (wire.ends.includes(index)) this.#cut(wire)
  }

  /** Comes back with what it had stored and a new document. */
  restart(index: number): void {
    if (this.node(index).up) return
    this.#start(index, this.node(index).replica.restart(this.#clientId()))
  }

  /** Splits the nodes into those of `side(index)` 0 and 1, … */
  partition(side: (index: number) => number): void {
    this.#side = this.nodes.map((_, index) => side(index))
    for (const wire of this.#wires.values()) if (this.#side[wire.ends[0]] !== this.#side[wire.ends[1]]) this.#cut(wire)
  }

  heal(): void {
    this.partition(() => 0)
  }

  node(index: number): SimulatedNode {
    return this.nodes[index] as SimulatedNode
  }

  #start(index: number, replica: FakeReplica): void {
    const node = this.node(index)
    node.replica = replica
    node.gossip = this.#createGossip(replica)
    node.up = true
    replica.onUpdate((update, origin) => {
      if (node.replica === replica && node.up) this.#feed(index, { kind: 'update', update, origin })
    })
    const tick = () => {
      if (node.replica !== replica || !node.up) return
      this.#feed(index, { kind: 'tick' })
      this.at(this.nowMs + 750 + this.#random.integer(500), tick)
    }
    this.at(this.nowMs + this.#random.integer(1000), tick)
    const heartbeat = () => {
      if (node.replica !== replica || !node.up) return
      for (const wire of this.#wires.values()) {
        const to = wire.ends[0] === index ? 1 : 0
        if (wire.open && wire.ends.includes(index)) this.#feed(wire.ends[to], { kind: 'heard', link: wire.ids[to] })
      }
      this.at(this.nowMs + 5000, heartbeat)
    }
    this.at(this.nowMs + 5000, heartbeat)
  }

  #createGossip(replica = new FakeReplica(1)): Gossip {
    return new Gossip(replica, () => this.#random.next())
  }

  #addPair(a: number, b: number): void {
    const name = `${a}-${b}`
    if (this.#wires.has(name)) return
    this.pairs.push([a, b])
    this.#wires.set(name, { ends: [a, b], ids: [0, 0], open: false, lastMs: [0, 0] })
    const dial = () => {
      const wire = this.#wires.get(name) as Wire
      const reachable = this.node(a).up && this.node(b).up && this.#side[a] === this.#side[b]
      if (!wire.open && reachable) this.#connect(name, a, b)
      this.at(this.nowMs + 300 + this.#random.integer(700), dial)
    }
    this.at(this.#random.integer(300), dial)
  }

  #connect(name: string, a: number, b: number): void {
    const ids = [this.#nextLink++, this.#nextLink++] as const
    this.#wires.set(name, { ends: [a, b], ids, open: true, lastMs: [this.nowMs, this.nowMs] })
    this.#feed(a, { kind: 'link-up', link: ids[0], peer: `node${b}` as MemberKey })
    this.#feed(b, { kind: 'link-up', link: ids[1], peer: `node${a}` as MemberKey })
  }

  #cut(wire: Wire): void {
    if (!wire.open) return
    wire.open = false
    for (const side of [0, 1] as const)
      if (this.node(wire.ends[side]).up) this.#feed(wire.ends[side], { kind: 'link-down', link: wire.ids[side] })
  }

  #feed(index: number, input: GossipInput): void {
    const node = this.node(index)
    const { gossip, replica } = node
    const later = (delayMs: number, run: () => void) =>
      this.at(this.nowMs + delayMs, () => node.replica === replica && node.up && run())
    for (const effect of gossip.handle(input, this.nowMs)) this.#perform(index, effect, later)
  }

  #perform(index: number, effect: GossipEffect, later: (delayMs: number, run: () => void) => void): void {
    const { replica } = this.node(index)
    // The disk takes as long for every merge of a node, so that they stay in order.
    const diskMs = 2
    switch (effect.kind) {
      case 'send':
        for (const link of effect.links) this.#send(link, encodeFrame(effect.frame), effect.frame.type)
        return
      case 'merge-update':
        later(diskMs, () => {
          const report = replica.mergeUpdateNow(effect.update, effect.link)
          this.#feed(index, { kind: 'merged', link: effect.link, cause: effect.cause, report })
        })
        return
      case 'merge-operations':
        later(diskMs, () => {
          const report = replica.mergeOperationsNow(effect.operations, effect.link)
          this.#feed(index, { kind: 'merged', link: effect.link, cause: 'operations', report })
        })
        return
      case 'read-operations':
        later(diskMs, () => {
          const operations = effect.ids.flatMap((id) => replica.operations.get(id) ?? [])
          this.#feed(index, { kind: 'operations-read', link: effect.link, operations })
        })
        return
      case 'diff': {
        const parts = replica.diffNow(effect.vector)
        const read = (at: number) => {
          const more = at + 1 < parts.length
          this.#feed(index, { kind: 'diff-read', link: effect.link, update: parts[at], more })
          if (more) later(diskMs, () => read(at + 1))
        }
        later(diskMs, () => read(0))
        return
      }
      case 'agreed':
        return
      case 'drop': {
        this.dropped.push(effect.reason)
        const wire = this.#findWire(effect.link)
        if (wire !== undefined) this.#cut(wire)
        return
      }
      default:
        effect satisfies never
    }
  }

  #send(link: number, framed: Uint8Array, type: string): void {
    this.sent[type] = (this.sent[type] ?? 0) + 1
    const wire = this.#findWire(link)
    if (wire === undefined) return
    if (this.#random.chance(this.faults.reset)) this.at(this.nowMs + 1, () => this.#cut(wire))
    if (this.#random.chance(this.faults.loss)) return
    const copies = this.#random.chance(this.faults.duplication) ? 2 : 1
    const to = wire.ids[0] === link ? 1 : 0
    for (let copy = 0; copy < copies; copy++) {
      const arrivalMs = Math.max(this.nowMs + 1 + this.#random.integer(120), wire.lastMs[to])
      wire.lastMs[to] = arrivalMs
      this.at(arrivalMs, () => {
        if (wire.open && this.node(wire.ends[to]).up) this.#deliver(wire.ends[to], wire.ids[to], framed)
      })
    }
  }

  #deliver(index: number, link: number, framed: Uint8Array): void {
    const decoder = new FrameDecoder()
    decoder.limitBytes = MAX_FRAME_BYTES
    for (const frame of decoder.decode(framed))
      if (isGossipFrame(frame)) this.#feed(index, { kind: 'frame', link, frame })
  }

  #findWire(link: number): Wire | undefined {
    for (const wire of this.#wires.values()) if (wire.open && wire.ids.includes(link)) return wire
    return undefined
  }

  #clientId(): number {
    return 1 + this.#random.integer(2 ** 32 - 1)
  }

  #push(event: Event): void {
    const queue = this.#queue
    let at = queue.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, queue[parent] as Event)) break
      queue[at] = queue[parent] as Event
      at = parent
    }
    queue[at] = event
  }

  #pop(): void {
    const queue = this.#queue
    const last = queue.pop() as Event
    if (queue.length === 0) return
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= queue.length) break
      if (child + 1 < queue.length && isBefore(queue[child + 1] as Event, queue[child] as Event)) child++
      if (!isBefore(queue[child] as Event, last)) break
      queue[at] = queue[child] as Event
      at = child
    }
    queue[at] = last
  }
}

const isBefore = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
