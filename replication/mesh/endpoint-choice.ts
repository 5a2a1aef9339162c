import { isIP } from 'node:net'
import type { WireGuardKey } from '../../core/index.ts'
import type { NetworkAddress } from '../gossip/network.ts'
import { canonicalAddress, endpointId, holdsAddress, isEndpointAddress } from './mesh-endpoint.ts'
import type { MeshPlan, MeshPlanPeer } from './mesh-plan.ts'
import { NameLookups } from './name-lookups.ts'
import { PeerSight } from './peer-sight.ts'
import type { TunnelStatus } from './ports.ts'

/**
 * How long one candidate is tried by the faster side of a pair: WireGuard begins again after 5 seconds without an answer
 * (REKEY_TIMEOUT), and we look every two.
 */
export const TRY_MS = 8_000
/** The most candidates of one peer that are tried, which bounds how long a round takes. */
const MAX_CANDIDATES = 4
/** What keeps the state of a NAT or a firewall alive. */
export const KEEPALIVE_SECS = 25

export interface ChoiceInput {
  readonly plan: MeshPlan
  readonly ownKey: WireGuardKey
  readonly status: TunnelStatus
  /** Monotonic and wall clock, milliseconds. */
  readonly nowMs: number
  readonly wallMs: number
  /** This node is behind a NAT: its public addresses are on none of its interfaces. */
  readonly isBehindNat: boolean
  /** Whether a route leads to an address from here: families that this host lacks have none. */
  readonly hasRoute: (address: string) => boolean
}

export interface PeerChoice {
  readonly publicKey: WireGuardKey
  /** What the peer is told; undefined leaves what the device knows. */
  readonly endpoint: NetworkAddress | undefined
  readonly keepaliveSecs: number
  /** The device is to try at once, instead of when it would by itself: keepalive is switched off and on. */
  readonly isNudged: boolean
  /** Milliseconds since the last handshake; undefined where there was none. */
  readonly handshakeAgeMs: number | undefined
  /** For how long it was tried without an answer; undefined while it answers. */
  readonly silentMs: number | undefined
}

export interface ChoiceOutput {
  readonly peers: readonly PeerChoice[]
  /** Names to look up now; answers are given to `resolved`. */
  readonly lookups: readonly string[]
}

/** What is remembered of one peer. */
interface Trial {
  readonly sight: PeerSight
  /** Where it answered last. */
  good: NetworkAddress | undefined
  /** The candidate that is tried, and since when; undefined while it answers. */
  trying: { at: string; index: number; sinceMs: number } | undefined
}

/**
 * Which endpoint each peer is told. What works is never written over, wherever it came from. What does not is tried at one
 * candidate after another: addresses, and those that names have now. Of two that look for each other one stays at a candidate for
 * as long as the other needs for all of its own, so that each pair of candidates has its turn. Sans-IO.
 */
export class EndpointChoice {
  readonly #trials = new Map<WireGuardKey, Trial>()
  readonly #names = new NameLookups()

  /** What a name led to; empty where that could not be found out. */
  resolved(name: string, addresses: readonly string[], nowMs: number): void {
    this.#names.resolved(name, addresses, nowMs)
  }

  /** Addresses of candidates: their own, and those that their names have now. */
  addressesOf(candidates: readonly NetworkAddress[]): readonly string[] {
    return candidates.flatMap(({ host }) => (isIP(host) === 0 ? this.#names.addresses(host) : host))
  }

  /** To be called every two seconds or so, and when the plan is another. */
  step(input: ChoiceInput): ChoiceOutput {
    const { plan, status, nowMs } = input
    const known = new Map(status.peers.map((peer) => [peer.publicKey, peer]))
    const wanted = new Set(plan.peers.map(({ publicKey }) => publicKey))
    for (const key of this.#trials.keys()) if (!wanted.has(key)) this.#trials.delete(key)
    const names = new Map<string, boolean>()
    const peers = plan.peers.map((peer): PeerChoice => {
      const device = known.get(peer.publicKey)
      const trial = this.#trialOf(peer.publicKey, nowMs)
      trial.sight.look(device, input)
      // An address of ours that is gone takes the way with it, long before a session ends. Who has none left of a family but that
      // in the mesh sends from there, and WireGuard would follow it into the tunnel itself.
      const leads = device?.endpoint === undefined || mayLead(device.endpoint, input)
      const isWorking = leads && trial.sight.isWorking(nowMs)
      // Nobody waits for an external peer that was not spoken to.
      const isIdle = peer.kind === 'peer' && !trial.sight.isUnanswered
      for (const { host } of peer.candidates) {
        if (isIP(host) === 0) names.set(host, (names.get(host) ?? true) && (isWorking || isIdle))
      }
      const handshakeAgeMs = trial.sight.handshakeAgeMs(nowMs)
      const silentMs = trial.sight.silentMs(nowMs)
      const needsKeepalive = peer.kind === 'node' && (input.isBehindNat || peer.candidates.length === 0)
      const common = { publicKey: peer.publicKey, handshakeAgeMs, silentMs }
      if (isWorking) {
        trial.good = device?.endpoint
        trial.trying = undefined
        return { ...common, endpoint: undefined, keepaliveSecs: needsKeepalive ? KEEPALIVE_SECS : 0, isNudged: false }
      }
      const told = this.#try(peer, trial, input, device?.endpoint)
      // Who is looked for is spoken to: a device that has nothing to send would not begin. External peers begin themselves.
      const keepaliveSecs = peer.kind === 'node' ? KEEPALIVE_SECS : 0
      return { ...common, endpoint: told.endpoint, keepaliveSecs, isNudged: told.isNew && peer.kind === 'node' }
    })
    return { peers, lookups: this.#names.due(names, nowMs) }
  }

  #trialOf(key: WireGuardKey, nowMs: number): Trial {
    const known = this.#trials.get(key)
    if (known !== undefined) return known
    const trial: Trial = { sight: new PeerSight(nowMs), good: undefined, trying: undefined }
    this.#trials.set(key, trial)
    return trial
  }

  #try(
    peer: MeshPlanPeer,
    trial: Trial,
    input: ChoiceInput,
    current: NetworkAddress | undefined,
  ): { readonly endpoint: NetworkAddress | undefined; readonly isNew: boolean } {
    const { nowMs } = input
    // Where it was reached last is tried first: a session may only have been idle.
    const met = trial.good ?? (trial.trying === undefined ? current : undefined)
    const first = met !== undefined && !holdsAddress(input.plan.network, met.host) ? met : undefined
    if (first !== undefined) trial.good = first
    const candidates = this.#candidates(peer, first, input)
    if (candidates.length === 0) {
      const isNew = trial.trying === undefined
      trial.trying ??= { at: '', index: 0, sinceMs: nowMs }
      return { endpoint: undefined, isNew }
    }
    const choose = (index: number): { endpoint: NetworkAddress; isNew: boolean } => {
      const place = index % candidates.length
      const endpoint = candidates[place] as NetworkAddress
      trial.trying = { at: endpointId(endpoint), index: place, sinceMs: nowMs }
      return { endpoint, isNew: true }
    }
    const { trying } = trial
    if (trying === undefined) return choose(0)
    const place = candidates.findIndex((candidate) => endpointId(candidate) === trying.at)
    // It is no candidate any more; the one that took its place is next.
    if (place === -1) return choose(trying.index)
    const isDue = nowMs - trying.sinceMs >= tryMs(input, peer) && (peer.kind === 'node' || trial.sight.isUnanswered)
    if (isDue) return choose(place + 1)
    return { endpoint: candidates[place], isNew: false }
  }

  #candidates(
    { candidates }: MeshPlanPeer,
    first: NetworkAddress | undefined,
    input: ChoiceInput,
  ): readonly NetworkAddress[] {
    const resolved = candidates.flatMap(({ host, port }) =>
      isIP(host) === 0
        ? this.#names.addresses(host).map((one) => ({ host: canonicalAddress(one), port }))
        : { host, port },
    )
    const usable = resolved.filter(
      (endpoint) => isEndpointAddress(endpoint.host, input.plan.network) && mayLead(endpoint, input),
    )
    const all = first === undefined || !mayLead(first, input) ? usable : [first, ...usable]
    const unique = new Map(all.map((endpoint) => [endpointId(endpoint), endpoint]))
    return [...unique.values()].slice(0, MAX_CANDIDATES)
  }
}

const mayLead = ({ host }: NetworkAddress, { plan, hasRoute }: ChoiceInput): boolean =>
  !holdsAddress(plan.network, host) && hasRoute(host)

/** How long one candidate is tried: the greater key of a pair waits for a whole round of the other's. */
function tryMs({ plan, ownKey }: ChoiceInput, { publicKey }: MeshPlanPeer): number {
  if (ownKey < publicKey) return TRY_MS
  // Beside our own candidates the other side may try where it heard us last.
  const round = plan.ownCandidates.length === 0 ? 1 : Math.min(MAX_CANDIDATES, countOwn(plan) + 1)
  return TRY_MS * round
}

/** A name may have an address of each family. */
const countOwn = ({ ownCandidates }: MeshPlan): number =>
  ownCandidates.reduce((sum, { host }) => sum + (isIP(host) === 0 ? 2 : 1), 0)
