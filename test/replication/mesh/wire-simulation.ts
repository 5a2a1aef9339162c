import type { WireGuardKey } from '../../../core/index.ts'
import type { NetworkAddress } from '../../../replication/gossip/network.ts'
import { EndpointChoice } from '../../../replication/mesh/endpoint-choice.ts'
import { endpointId } from '../../../replication/mesh/mesh-endpoint.ts'
import type { MeshPlan, MeshPlanPeer } from '../../../replication/mesh/mesh-plan.ts'
import type { TunnelStatus } from '../../../replication/mesh/ports.ts'

/** Ports by which a NAT sends are not those of whoever is behind it. */
const NAT_PORT = 40_000
const RETRY_MS = 5_000
const GIVE_UP_MS = 90_000
const SESSION_MS = 180_000

export interface SimulatedHost {
  readonly key: WireGuardKey
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  /** Drops what comes unasked, of each family. */
  firewall: boolean
  /** Its IPv4 packets leave from its public address and another port; what comes unasked does not find it. */
  nat: boolean
  /** When it starts: that second. */
  readonly startS: number
  /** What others know of it. */
  candidates: readonly NetworkAddress[]
}

interface Side {
  endpoint: NetworkAddress | undefined
  keepaliveSecs: number
  sessionMs: number | undefined
  initiatedMs: number
  tryingSinceMs: number | undefined
  received: number
  sent: number
}

/**
 * WireGuard of a few hosts, and a network with firewalls, NATs and ways that are cut in one direction, in virtual time: what
 * decides which endpoint works, and nothing else.
 */
export class WireSimulation {
  nowMs = 1_000
  readonly #hosts: readonly SimulatedHost[]
  readonly #holeMs: number
  readonly #choices = new Map<WireGuardKey, EndpointChoice>()
  readonly #sides = new Map<string, Side>()
  /** Until when a host lets an answer from an address in. */
  readonly #holes = new Map<string, number>()
  readonly #cuts = new Set<string>()
  /** Endpoints that were told to a device while its peer answered. */
  overwritten = 0
  told = 0

  /** `holeMs`: how long NATs and firewalls remember who was spoken to (RFC 4787 asks for 120 s; common ones take 30). */
  constructor(hosts: readonly SimulatedHost[], holeMs: number) {
    this.#hosts = hosts
    this.#holeMs = holeMs
    for (const { key } of hosts) this.#choices.set(key, new EndpointChoice())
  }

  /** Nothing of this family gets from one to the other. */
  cut(from: SimulatedHost, to: SimulatedHost, family: 4 | 6): void {
    this.#cuts.add(`${from.key} ${to.key} ${family}`)
  }

  isCut(from: SimulatedHost, to: SimulatedHost, family: 4 | 6): boolean {
    return this.#cuts.has(`${from.key} ${to.key} ${family}`)
  }

  healAll(): void {
    this.#cuts.clear()
  }

  /** Forgets where everybody is: all restart. */
  restart(host: SimulatedHost): void {
    this.#choices.set(host.key, new EndpointChoice())
  }

  isConnected(a: SimulatedHost, b: SimulatedHost): boolean {
    const fresh = (side: Side) => side.sessionMs !== undefined && this.nowMs - side.sessionMs < SESSION_MS
    return fresh(this.#side(a, b)) && fresh(this.#side(b, a))
  }

  endpoint(of: SimulatedHost, peer: SimulatedHost): NetworkAddress | undefined {
    return this.#side(of, peer).endpoint
  }

  /** One second: devices do what they do, and every other second each host looks at its own. */
  tick(): void {
    this.nowMs += 1_000
    const second = Math.floor(this.nowMs / 1_000)
    const running = this.#hosts.filter(({ startS }) => startS <= second)
    for (const [i, host] of running.entries()) if ((second + i) % 2 === 0) this.#look(host)
    for (const host of running) for (const peer of this.#hosts) if (peer !== host) this.#act(host, peer)
  }

  #look(host: SimulatedHost): void {
    const choice = this.#choices.get(host.key) as EndpointChoice
    const others = this.#hosts.filter((one) => one !== host)
    const status: TunnelStatus = {
      publicKey: host.key,
      listenPort: 1,
      peers: others.map((peer) => {
        const { endpoint, keepaliveSecs, sessionMs, received, sent } = this.#side(host, peer)
        const counts = { receivedBytes: received, sentBytes: sent }
        return { publicKey: peer.key, endpoint, allowedIps: [], keepaliveSecs, lastHandshakeMs: sessionMs, ...counts }
      }),
    }
    const plan = {
      network: 'fd00::/48',
      ownCandidates: host.candidates,
      peers: others.map((peer): MeshPlanPeer => {
        const known = { publicKey: peer.key, candidates: peer.candidates }
        return { member: undefined, name: peer.key, kind: 'node', address: '', ...known }
      }),
    } as Partial<MeshPlan> as MeshPlan
    const { peers } = choice.step({
      plan,
      ownKey: host.key,
      status,
      nowMs: this.nowMs,
      wallMs: this.nowMs,
      isBehindNat: host.nat,
      hasRoute: (address) => (address.includes(':') ? host.ipv6 : host.ipv4) !== undefined,
    })
    for (const { publicKey, endpoint, keepaliveSecs, isNudged } of peers) {
      const peer = others.find(({ key }) => key === publicKey) as SimulatedHost
      const side = this.#side(host, peer)
      if (
        endpoint !== undefined &&
        (side.endpoint === undefined || endpointId(endpoint) !== endpointId(side.endpoint))
      ) {
        this.told++
        if (this.isConnected(host, peer)) this.overwritten++
        side.endpoint = endpoint
      }
      const began = (isNudged || side.keepaliveSecs === 0) && keepaliveSecs > 0
      side.keepaliveSecs = keepaliveSecs
      if (began && side.tryingSinceMs === undefined) side.tryingSinceMs = this.nowMs
      if (began && isNudged) side.tryingSinceMs = this.nowMs
    }
  }

  #act(host: SimulatedHost, peer: SimulatedHost): void {
    const side = this.#side(host, peer)
    const hasSession = side.sessionMs !== undefined && this.nowMs - side.sessionMs < SESSION_MS
    if (hasSession) {
      side.tryingSinceMs = undefined
      return
    }
    if (side.keepaliveSecs > 0) side.tryingSinceMs ??= this.nowMs
    if (side.tryingSinceMs === undefined || side.endpoint === undefined) return
    if (this.nowMs - side.initiatedMs < RETRY_MS) return
    const forMs = this.nowMs - side.tryingSinceMs
    if (forMs > GIVE_UP_MS && forMs < GIVE_UP_MS + 25_000) return
    if (forMs >= GIVE_UP_MS + 25_000) side.tryingSinceMs = this.nowMs
    side.initiatedMs = this.nowMs
    side.sent += 148
    const from = this.#deliver(host, peer, side.endpoint)
    if (from === undefined) return
    // The initiation is authentic: its sender is there now. The answer goes back by the same way.
    const back = this.#side(peer, host)
    back.endpoint = from
    back.received += 148
    back.sent += 92
    const answered = this.#deliver(peer, host, from)
    if (answered === undefined) return
    side.endpoint = answered
    side.received += 92
    side.sessionMs = this.nowMs
    side.sent += 32
    if (this.#deliver(host, peer, answered) !== undefined) back.sessionMs = this.nowMs
  }

  /** Where a packet comes from, as its receiver sees it; undefined when it does not arrive there. */
  #deliver(from: SimulatedHost, to: SimulatedHost, at: NetworkAddress): NetworkAddress | undefined {
    const family = at.host.includes(':') ? 6 : 4
    const source = family === 6 ? from.ipv6 : from.ipv4
    const target = family === 6 ? to.ipv6 : to.ipv4
    if (source === undefined || this.isCut(from, to, family)) {
      return undefined
    }
    const isNatted = family === 4 && from.nat
    const sender = { host: source, port: isNatted ? NAT_PORT : 51_880 }
    this.#holes.set(`${from.key} ${endpointId(at)}`, this.nowMs + this.#holeMs)
    if (at.host !== target) return undefined
    const isBehind = family === 4 && to.nat
    if (at.port !== (isBehind ? NAT_PORT : 51_880)) return undefined
    const isExpected = (this.#holes.get(`${to.key} ${endpointId(sender)}`) ?? 0) >= this.nowMs
    return (to.firewall || isBehind) && !isExpected ? undefined : sender
  }

  #side(of: SimulatedHost, peer: SimulatedHost): Side {
    const id = `${of.key} ${peer.key}`
    const known = this.#sides.get(id)
    if (known !== undefined) return known
    const initiatedMs = Number.NEGATIVE_INFINITY
    const side: Side = {
      endpoint: undefined,
      keepaliveSecs: 0,
      sessionMs: undefined,
      initiatedMs,
      tryingSinceMs: undefined,
      received: 0,
      sent: 0,
    }
    this.#sides.set(id, side)
    return side
  }
}
