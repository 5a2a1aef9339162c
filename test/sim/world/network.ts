import { crc32 } from 'node:zlib'
import type {
  Connection,
  ConnectionListener,
  Listener,
  Network,
  NetworkAddress,
} from '../../../replication/gossip/network.ts'
import type { Random } from '../../support/seeds.ts'
import type { ProcessLife } from './process-life.ts'
import type { Scheduler } from './scheduler.ts'

export interface Place {
  readonly latitude: number
  readonly longitude: number
}

export interface NetworkFaults {
  /** Chance for each segment to be lost; TCP sends it again, which is seen as delay. */
  loss: number
  /** Chance for each segment that its connection breaks, with all that is under way. */
  reset: number
  /** Longest extra delay of a segment, milliseconds. */
  jitterMs: number
  /** Every way takes this long, whatever the distance; undefined: as far as it is. */
  fixedMs?: number | undefined
}

/** Under way in one direction at most; what is more waits with its sender. */
const WINDOW_BYTES = 256 * 1024
const SEGMENT_BYTES = 64 * 1024
const BYTES_PER_MS = 10_000
/** A kernel gives a connection up that gets no answer for so long. */
const GIVE_UP_MS = 60_000
const RETRANSMIT_MS = 300

/** Light in fibre takes 1 ms for 200 km and goes no straight way; half a round trip between two places. */
export function delayMsBetween(a: Place, b: Place): number {
  const rad = Math.PI / 180
  const dLat = (b.latitude - a.latitude) * rad
  const dLon = (b.longitude - a.longitude) * rad
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.latitude * rad) * Math.cos(b.latitude * rad) * Math.sin(dLon / 2) ** 2
  return 0.3 + (2 * 6371 * Math.asin(Math.min(1, Math.sqrt(h)))) / 150
}

interface Bound {
  readonly life: ProcessLife
  accept(connection: Connection): void
}

/** Byte streams between machines in virtual time: delay by distance, loss, resets, partitions of every shape. */
export class VirtualNetwork {
  readonly faults: NetworkFaults = { loss: 0, reset: 0, jitterMs: 0 }
  /** Bytes and segments delivered. */
  readonly counts = { connections: 0, segments: 0, bytes: 0, resets: 0 }
  readonly scheduler: Scheduler
  readonly #random: Random
  readonly #bound = new Map<string, Bound>()
  readonly #places = new Map<string, Place>()
  /** Pairs `from>to` of hosts between which nothing passes, in that direction. */
  readonly #cut = new Set<string>()
  #nextPort = 40_000

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler
    this.#random = random
  }

  setPlace(host: string, place: Place): void {
    this.#places.set(host, place)
  }

  /** Nothing passes between these hosts in this direction, until `heal`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
  }

  heal(): void {
    this.#cut.clear()
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  delayMs(from: string, to: string): number {
    if (this.faults.fixedMs !== undefined) return this.faults.fixedMs
    const a = this.#places.get(from)
    const b = this.#places.get(to)
    const distance = a === undefined || b === undefined ? 1 : delayMsBetween(a, b)
    let delay = distance + this.#random.next() * this.faults.jitterMs
    for (
      let wait = RETRANSMIT_MS;
      this.faults.loss > 0 && this.#random.chance(this.faults.loss) && wait < 5000;
      wait *= 2
    )
      delay += wait
    return delay
  }

  breaks(): boolean {
    return this.faults.reset > 0 && this.#random.chance(this.faults.reset)
  }

  /** Where a segment may be cut in two. */
  cutAt(length: number): number {
    return this.#random.chance(0.1) ? 1 + this.#random.integer(length) : length
  }

  /** The network as a process on a host sees it. */
  portFor(host: string, life: ProcessLife): Network {
    return {
      listen: async (at, accept) => {
        const address = { host, port: at.port === 0 ? this.#nextPort++ : at.port }
        const name = `${address.host}:${address.port}`
        const bound: Bound = { life, accept }
        this.#bound.set(name, bound)
        const close = async () => {
          if (this.#bound.get(name) === bound) this.#bound.delete(name)
        }
        life.onEnd(() => void close())
        return { address, close } satisfies Listener
      },
      connect: (to) => this.#connect(host, life, to),
    }
  }

  #connect(host: string, life: ProcessLife, to: NetworkAddress): Connection {
    const { scheduler } = this
    const near: NetworkAddress = { host, port: this.#nextPort++ }
    const ours = new End(this, life, near, to)
    const giveUp = scheduler.after(GIVE_UP_MS, () => ours.break('ETIMEDOUT'))
    const attempt = (waitMs: number): void => {
      if (this.isCut(host, to.host) || this.isCut(to.host, host)) {
        scheduler.after(waitMs, () => ours.isOpen && attempt(waitMs * 2))
        return
      }
      scheduler.after(this.delayMs(host, to.host), () => {
        if (!ours.isOpen) return
        const bound = this.#bound.get(`${to.host}:${to.port}`)
        if (bound === undefined || !bound.life.alive) {
          scheduler.after(this.delayMs(to.host, host), () => ours.break('ECONNREFUSED'))
          return
        }
        giveUp()
        this.counts.connections++
        const theirs = new End(this, bound.life, to, near)
        ours.join(theirs)
        theirs.join(ours)
        bound.accept(theirs)
        theirs.open()
        scheduler.after(this.delayMs(to.host, host), () => ours.open())
      })
    }
    attempt(1000)
    return ours
  }

  noteSegment(from: NetworkAddress, to: NetworkAddress, bytes: Uint8Array): void {
    this.counts.segments++
    this.counts.bytes += bytes.length
    this.scheduler.note('net', from.host, to.host, bytes.length, crc32(bytes))
  }
}

type Segment = { readonly bytes: Uint8Array } | 'end'

/** One side of a stream. */
class End implements Connection {
  readonly remote: NetworkAddress
  readonly #network: VirtualNetwork
  readonly #life: ProcessLife
  readonly #near: NetworkAddress
  #peer: End | undefined
  #listener: ConnectionListener | undefined
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening'
  readonly #queue: Uint8Array[] = []
  #queuedBytes = 0
  #underWayBytes = 0
  /** Arrived and not read yet. */
  readonly #inbox: Segment[] = []
  /** Left the process, and not on its way yet because of a cut. */
  readonly #wire: { readonly segment: Segment; readonly length: number; readonly sinceMs: number }[] = []
  #stalled = false
  #paused = false
  #lastArrivalMs = 0
  #drains: (() => void)[] = []

  constructor(network: VirtualNetwork, life: ProcessLife, near: NetworkAddress, remote: NetworkAddress) {
    this.#network = network
    this.#life = life
    this.#near = near
    this.remote = remote
    life.onEnd(() => this.#die())
  }

  get isOpen(): boolean {
    return this.#state !== 'closed' && this.#life.alive
  }

  get writable(): boolean {
    return this.#state === 'opening' || this.#state === 'open'
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  attach(listener: ConnectionListener): void {
    this.#listener = listener
  }

  join(peer: End): void {
    this.#peer = peer
  }

  open(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'opening') this.#state = 'open'
    this.#life.after(0, () => {
      if (this.#state === 'closed') return
      this.#listener?.opened()
      this.#read()
      this.#send()
    })
  }

  write(bytes: Uint8Array): void {
    if (!this.writable) return
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    this.#send()
  }

  onceDrained(call: () => void): void {
    this.#drains.push(call)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#life.after(0, () => this.#read())
  }

  close(): void {
    if (this.#state === 'closed' || this.#state === 'closing') return
    if (this.#peer === undefined) this.destroy()
    else {
      this.#state = 'closing'
      this.#send()
    }
  }

  destroy(): void {
    if (this.#state === 'closed') return
    this.#tellPeer((peer) => peer.break('ECONNRESET'))
    this.#finish(undefined)
  }

  /** The connection broke, as this side sees it. */
  break(message: string): void {
    if (this.#state !== 'closed') this.#finish(message)
  }

  /** The process is gone; its kernel, or the machine when it is back, says so to the other side. */
  #die(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#tellPeer((peer) => peer.break('ECONNRESET'))
  }

  #tellPeer(tell: (peer: End) => void): void {
    const peer = this.#peer
    if (peer === undefined) return
    const { scheduler } = this.#network
    const from = this.#near.host
    const to = this.remote.host
    const attempt = (waitMs: number): void => {
      if (this.#network.isCut(from, to)) {
        // Nobody sends this again: the other side finds out when it writes, or gives up.
        scheduler.after(waitMs, () => (waitMs > GIVE_UP_MS ? tell(peer) : attempt(waitMs * 2)))
        return
      }
      const atMs = Math.max(scheduler.nowMs + this.#network.delayMs(from, to), this.#lastArrivalMs)
      scheduler.after(atMs - scheduler.nowMs, () => tell(peer))
    }
    attempt(1000)
  }

  #finish(fault: string | undefined): void {
    this.#state = 'closed'
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#inbox.length = 0
    this.#life.after(0, () => {
      if (fault !== undefined) this.#listener?.failed(fault)
      this.#listener?.closed()
    })
  }

  /** Hands what is queued to the wire, as far as the window goes. */
  #send(): void {
    const peer = this.#peer
    if (peer === undefined || this.#state === 'closed' || this.#state === 'opening') return
    while (this.#queue.length > 0 && this.#underWayBytes < WINDOW_BYTES) {
      const whole = this.#queue.shift() as Uint8Array
      const length = this.#network.cutAt(Math.min(whole.length, SEGMENT_BYTES))
      if (length < whole.length) this.#queue.unshift(whole.subarray(length))
      this.#underWayBytes += length
      this.#queuedBytes -= length
      if (this.#network.breaks()) {
        this.#network.counts.resets++
        this.#tellPeer((other) => other.break('ECONNRESET'))
        this.#finish('ECONNRESET')
        return
      }
      this.#carry(peer, { bytes: whole.subarray(0, length) }, length)
    }
    if (this.#queue.length > 0) return
    if (this.#state === 'closing') {
      this.#carry(peer, 'end', 0)
      this.#finish(undefined)
    }
    const drains = this.#drains
    this.#drains = []
    for (const drain of drains) this.#life.after(0, drain)
  }

  #carry(peer: End, segment: Segment, length: number): void {
    this.#wire.push({ segment, length, sinceMs: this.#network.scheduler.nowMs })
    if (!this.#stalled) this.#transmit(peer, RETRANSMIT_MS)
  }

  /** In order, whatever each segment meets: what follows one that waits for a cut to heal waits behind it. */
  #transmit(peer: End, waitMs: number): void {
    const { scheduler } = this.#network
    const from = this.#near.host
    const to = this.remote.host
    this.#stalled = false
    for (let next = this.#wire[0]; next !== undefined; next = this.#wire[0]) {
      if (this.#network.isCut(from, to)) {
        this.#stalled = true
        if (scheduler.nowMs - next.sinceMs <= GIVE_UP_MS) {
          scheduler.after(waitMs, () => this.#transmit(peer, Math.min(waitMs * 2, 10_000)))
          return
        }
        this.break('ETIMEDOUT')
        scheduler.after(GIVE_UP_MS, () => peer.break('ETIMEDOUT'))
        return
      }
      this.#wire.shift()
      const { segment, length } = next
      const travelMs = this.#network.delayMs(from, to) + length / BYTES_PER_MS
      this.#lastArrivalMs = Math.max(scheduler.nowMs + travelMs, this.#lastArrivalMs)
      scheduler.after(this.#lastArrivalMs - scheduler.nowMs, () => peer.arrive(segment))
    }
  }

  arrive(segment: Segment): void {
    if (this.#state === 'closed' || !this.#life.alive) return
    this.#inbox.push(segment)
    this.#read()
  }

  /** The receiver took so many bytes: the window moves on. */
  taken(length: number): void {
    this.#underWayBytes -= length
    if (this.#life.alive) this.#send()
  }

  #read(): void {
    while (!this.#paused && this.#state !== 'closed' && this.#state !== 'opening' && this.#life.alive) {
      const segment = this.#inbox.shift()
      if (segment === undefined) return
      if (segment === 'end') {
        this.#listener?.ended()
        if (this.isOpen) this.#finish(undefined)
        return
      }
      this.#network.noteSegment(this.remote, this.#near, segment.bytes)
      this.#peer?.taken(segment.bytes.length)
      this.#listener?.received(segment.bytes)
    }
  }
}
