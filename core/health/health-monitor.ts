import type { MemberKey } from '../ids.ts'
import type { AddressVerdict, Basis } from './address-verdict.ts'
import { buildStandings, sameStandings } from './build-standings.ts'
import { Damper, type HoldTimes, holdTimes } from './damper.ts'
import { Observer, type Thresholds } from './observer.ts'
import {
  type Face,
  faceOf,
  listProbeTargets,
  type ProbeResult,
  type ProbeTarget,
  type WatchedNode,
} from './probe-target.ts'
import {
  buildSaid,
  cleanReason,
  readSaid,
  type SaidObservation,
  type SaidObservations,
  type SeenFace,
} from './said-observations.ts'
import type { NodeStandings, Standing } from './standing.ts'
import { countVotes, hearsMajority } from './vote.ts'
import { WatchPlan } from './watch-plan.ts'

/** An observation counts while it is younger than so many check intervals, and time-outs: also where every probe takes its own. */
const FRESH_INTERVALS = 3
const FRESH_TIMEOUTS = 2
const DEFAULT_TIMEOUT_MS = 5000
const NO_REASON = 'does not answer'

export interface HealthMonitorOptions {
  readonly self: MemberKey
  readonly thresholds: Thresholds
  /** Between two probes of one target. */
  readonly intervalMs: number
  /** What a probe may take at most; 5 s where it is not told. */
  readonly timeoutMs?: number
}

/** One face of one node: what we have seen of it, and what we conclude. */
interface Watched {
  readonly target: ProbeTarget
  readonly face: Face
  readonly observer: Observer
  damper: Damper | undefined
  reason: string | undefined
}

/** What a node said, as far as it was asked for. */
interface Heard {
  readonly said: unknown
  readonly read: Map<MemberKey, ReadonlyMap<Face, SaidObservation>>
}

/**
 * Health without a leader, sans-IO: results of our probes and what others say go in; whom to probe, what to say and what to
 * conclude come out. `nowMs` is monotonic and never goes back. Deterministic.
 *
 * A node that hears the majority follows the votes of the observers that it hears, also about itself. One that does not, and
 * always one of two, keeps quiet about others and goes by its own eyes; it takes itself for up while its own web server
 * answers it, for whoever asked it reached it. So it does where the majority holds all for down: a public network that fell
 * apart, of which every part is down for the others. Words about strangers, of strangers and of nodes that are not to watch
 * are ignored; a member has one vote an address, and none about itself.
 */
export class HealthMonitor {
  readonly #self: MemberKey
  readonly #thresholds: Thresholds
  readonly #freshMs: number
  readonly #holds: HoldTimes
  #plan = new WatchPlan([])
  #members: ReadonlySet<MemberKey> = new Set()
  #watched: ReadonlyMap<string, Watched> = new Map()
  readonly #heard = new Map<MemberKey, Heard>()
  #standings: NodeStandings = new Map()

  constructor({ self, thresholds, intervalMs, timeoutMs = DEFAULT_TIMEOUT_MS }: HealthMonitorOptions) {
    this.#self = self
    this.#thresholds = thresholds
    this.#freshMs = FRESH_INTERVALS * intervalMs + FRESH_TIMEOUTS * timeoutMs
    this.#holds = holdTimes(intervalMs)
  }

  /** All nodes of the cluster, ourselves among them. What is known of an address goes with it. */
  setNodes(nodes: readonly WatchedNode[]): void {
    const members = new Set(nodes.map(({ key }) => key))
    if (members.size !== this.#members.size || !members.isSubsetOf(this.#members)) this.#plan = new WatchPlan(members)
    this.#members = members
    const watched = nodes.flatMap(listProbeTargets).map((target): [string, Watched] => {
      const id = watchedId(target)
      const fresh = { target, face: faceOf(target), observer: new Observer(this.#thresholds) }
      return [id, this.#watched.get(id) ?? { ...fresh, damper: undefined, reason: undefined }]
    })
    this.#watched = new Map(watched)
    for (const key of this.#heard.keys()) if (!members.has(key)) this.#heard.delete(key)
    for (const { read } of this.#heard.values()) read.clear()
  }

  /**
   * Whom to probe now, once an interval. Changes with who is heard: a node that hears no majority needs its own eyes for
   * everybody. Our own web server is among them, and is to be asked where it listens: what routers make of our public address
   * when we use it ourselves says nothing.
   */
  targets(): readonly ProbeTarget[] {
    const heard = this.#hearing()
    const all = !this.#followsMajority(heard)
    const mine = new Set(
      [...this.#members].filter((key) => all || this.#plan.observersOf(key, heard).includes(this.#self)),
    )
    return [...this.#watched.values()].flatMap(({ target }) =>
      target.key === this.#self ? (target.service === 'web' ? [target] : []) : mine.has(target.key) ? [target] : [],
    )
  }

  /** A result for what is not watched any more is ignored. */
  record(result: ProbeResult, nowMs: number): void {
    this.#watched.get(watchedId(result))?.observer.record(result.outcome, result.reason, nowMs)
  }

  /**
   * What a member says in awareness (`said`: whatever stands where observations should), and whether it is heard at this
   * moment. To be told whenever either changes; it counts until then.
   */
  hear(key: MemberKey, said: unknown, fresh: boolean): void {
    if (key === this.#self || !this.#members.has(key)) return
    if (!fresh) this.#heard.delete(key)
    else if (!this.#heard.has(key) || this.#heard.get(key)?.said !== said)
      this.#heard.set(key, { said, read: new Map() })
  }

  /** What to say of others in awareness; undefined when we should keep quiet. Equal while nothing new is seen. */
  say(nowMs: number): SaidObservations | undefined {
    const heard = this.#hearing()
    if (!this.#members.has(this.#self) || !this.#followsMajority(heard)) return undefined
    const seen = [...this.#watched.values()].flatMap(({ target: { key }, face, observer }): SeenFace[] => {
      const observation = observer.observation(nowMs, this.#freshMs)
      if (observation === undefined || !this.#plan.observersOf(key, heard).includes(this.#self)) return []
      return [{ key, face, state: observation.state, reason: observation.reason }]
    })
    return buildSaid(seen)
  }

  /**
   * What we conclude at this moment, node by node. Time counts: to be asked after each change and about once a second, for a
   * hold ends and an observation grows old without a call.
   */
  verdicts(nowMs: number): readonly AddressVerdict[] {
    const heard = this.#hearing()
    const majority = this.#followsMajority(heard)
    const voters = new Map(
      [...this.#members].map((key) => [
        key,
        majority ? this.#selfFirst(this.#plan.observersOf(key, heard)) : [this.#self],
      ]),
    )
    return [...this.#watched.values()].map((watched) =>
      this.#judge(watched, voters.get(watched.target.key) ?? [], majority, nowMs),
    )
  }

  /**
   * What DNS is told: of each node what `web` makes of its addresses; a family that it has not is up. Where all addresses of
   * a family are down, those that we see answer are held instead. `behind` are the nodes that lag. The same object while
   * nothing changes.
   */
  standings(
    nowMs: number,
    behind: ReadonlySet<MemberKey>,
    verdicts: readonly AddressVerdict[] = this.verdicts(nowMs),
  ): NodeStandings {
    const seen = (one: AddressVerdict): boolean =>
      this.#watched.get(watchedId(one))?.observer.observation(nowMs, this.#freshMs)?.state === 'up'
    const now = buildStandings({ members: this.#members, verdicts, behind, seen })
    if (!sameStandings(now, this.#standings)) this.#standings = now
    return this.#standings
  }

  #judge(watched: Watched, voters: readonly MemberKey[], majority: boolean, nowMs: number): AddressVerdict {
    const { target, face, observer } = watched
    const words = voters.map((voter) =>
      voter === this.#self ? ownWord(observer, nowMs, this.#freshMs) : this.#read(voter, target.key).get(face),
    )
    const { votes, down, reason } = countVotes(words)
    watched.damper ??= new Damper(nowMs, this.#holds)
    const standing = watched.damper.judge(down, nowMs)
    if (down) watched.reason = reason ?? NO_REASON
    const told = votes.up + votes.down > 0
    const basis: Basis = told ? (majority ? 'majority' : 'own eyes') : 'nobody'
    return {
      ...target,
      standing,
      sinceMs: watched.damper.sinceMs,
      reason: reasonOf(standing, watched.reason),
      votes,
      basis,
    }
  }

  /** Our own reason is the one that this machine can be asked about. */
  #selfFirst(observers: readonly MemberKey[]): readonly MemberKey[] {
    if (!observers.includes(this.#self)) return observers
    return [this.#self, ...observers.filter((key) => key !== this.#self)]
  }

  /** Ourselves, and the members whose word is fresh. */
  #hearing(): ReadonlySet<MemberKey> {
    return new Set([...this.#heard.keys(), ...(this.#members.has(this.#self) ? [this.#self] : [])])
  }

  #followsMajority(heard: ReadonlySet<MemberKey>): boolean {
    return hearsMajority(heard.size, this.#members.size)
  }

  #read(voter: MemberKey, target: MemberKey): ReadonlyMap<Face, SaidObservation> {
    const heard = this.#heard.get(voter)
    if (heard === undefined) return NO_FACES
    const known = heard.read.get(target)
    if (known !== undefined) return known
    const faces = readSaid(heard.said, target)
    heard.read.set(target, faces)
    return faces
  }
}

const NO_FACES: ReadonlyMap<Face, SaidObservation> = new Map()

/** Another address is another thing to watch. */
const watchedId = (target: ProbeTarget): string => `${target.key} ${faceOf(target)} ${target.address}`

function ownWord(observer: Observer, nowMs: number, maxAgeMs: number): SaidObservation | undefined {
  const observation = observer.observation(nowMs, maxAgeMs)
  if (observation === undefined) return undefined
  return observation.state === 'up' ? true : cleanReason(observation.reason ?? '')
}

function reasonOf(standing: Standing, reason: string | undefined): string | undefined {
  switch (standing) {
    case 'up':
      return undefined
    case 'held':
      return `answers again, but lately: ${reason ?? NO_REASON}`
    case 'down':
      return reason ?? NO_REASON
    default:
      return standing satisfies never
  }
}
