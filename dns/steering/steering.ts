import {
  type AddressFamily,
  chordSquared,
  distanceKm,
  type NodeStandings,
  type NodeView,
  type Place,
  type UnitVector,
  unitVector,
} from '../../core/index.ts'
import { type AddressData, findAddress } from '../rdata/index.ts'
import type { Located } from './locator.ts'
import { type Readiness, readinessOf, TIERS } from './readiness.ts'
import { affinity, affinitySeed } from './spread.ts'

/** A node as far as choosing goes. */
export interface Candidate {
  readonly node: NodeView
  readonly address: AddressData
  /** From the client; undefined when the place of one of them is not known. */
  readonly distanceKm: number | undefined
  readonly readiness: Readiness
}

/** A candidate that the answer does not name, and why: what it is, or that others are nearer, or were drawn. */
export interface PassedOver extends Candidate {
  readonly why: Exclude<Readiness, 'ready'> | 'farther' | 'place-unknown' | 'not-drawn' | 'same-address'
}

/** Which nodes an answer names, best first, and which it would have named after them. */
export interface Choice {
  readonly chosen: readonly Candidate[]
  /** Worked out when it is read: answers do without. */
  readonly others: readonly PassedOver[]
}

/** What is known of a node before anybody asks. */
interface Target {
  readonly node: NodeView
  readonly address: AddressData
  readonly point: UnitVector | undefined
  readonly readiness: Readiness
  readonly tier: number
  readonly seed: number
}

interface Ranked {
  readonly target: Target
  /** Square of the chord to the client; infinite when the place of one of them is not known. */
  readonly chord: number
  readonly affinity: number
}

/**
 * Who can be chosen: nodes with what is known of them. Immutable, swapped whole.
 *
 * The best tier that has a node with an address of the family is chosen from, and no other: an address that may not
 * answer never stands beside one that does. In order: ready; held; behind; drained; down. Within a tier the nearest
 * come first; then those whose place is not known, since nothing speaks for them. Nodes at exactly one place, and all when
 * nobody knows where the client is, are drawn by rendezvous hashing over the client's network: equal networks draw
 * alike, and a node that comes or goes moves only what it takes or had.
 */
export class Steering {
  static readonly empty = new Steering([], new Map(), 1)

  readonly nodes: readonly NodeView[]
  readonly standings: NodeStandings
  /** How many addresses an answer has. */
  readonly answers: number
  readonly #targets: Readonly<Record<AddressFamily, readonly Target[]>>

  constructor(nodes: readonly NodeView[], standings: NodeStandings, answers: number) {
    this.nodes = nodes
    this.standings = standings
    this.answers = answers
    this.#targets = {
      ipv4: listTargets(nodes, standings, 'ipv4'),
      ipv6: listTargets(nodes, standings, 'ipv6'),
    }
  }

  /**
   * True while every IPv6 address is down and some IPv4 address is not. A name that has both kinds then is better off
   * without the one that visitors would wait for in vain (RFC 8305 is not everybody's).
   */
  get isIpv6Idle(): boolean {
    const { ipv4, ipv6 } = this.#targets
    return ipv6[0]?.readiness === 'down' && ipv4[0] !== undefined && ipv4[0].readiness !== 'down'
  }

  /** Empty only when no node has an address of the family. */
  choose(family: AddressFamily, located: Located): Choice {
    const targets = this.#targets[family]
    const client = located.place && unitVector(located.place)
    const best: Ranked[] = []
    // The targets are in the order of their tiers.
    for (const target of targets) {
      if (target.tier !== targets[0]?.tier) break
      insert(best, rank(target, client, located.spread), this.answers)
    }
    return new Chosen(best, { targets, client, located })
  }
}

interface Asked {
  readonly targets: readonly Target[]
  readonly client: UnitVector | undefined
  readonly located: Located
}

class Chosen implements Choice {
  readonly #best: readonly Ranked[]
  readonly #asked: Asked

  constructor(best: readonly Ranked[], asked: Asked) {
    this.#best = best
    this.#asked = asked
  }

  get chosen(): readonly Candidate[] {
    return this.#best.map(({ target }) => toCandidate(target, this.#asked.located.place))
  }

  get others(): readonly PassedOver[] {
    const { targets, client, located } = this.#asked
    const chosen = new Set(this.#best.map(({ target }) => target))
    const taken = new Set(this.#best.map(({ target }) => textOf(target)))
    const last = this.#best.at(-1)
    return targets
      .filter((target) => !chosen.has(target))
      .map((target) => rank(target, client, located.spread))
      .sort((a, b) => a.target.tier - b.target.tier || compareRanked(a, b))
      .map((ranked) => ({
        ...toCandidate(ranked.target, located.place),
        why: taken.has(textOf(ranked.target)) ? 'same-address' : whyNot(ranked, last, located.place),
      }))
  }
}

function whyNot(ranked: Ranked, last: Ranked | undefined, place: Place | undefined): PassedOver['why'] {
  const { readiness, point } = ranked.target
  if (readiness !== 'ready' && ranked.target.tier !== last?.target.tier) return readiness
  if (place === undefined || ranked.chord === last?.chord) return 'not-drawn'
  return point === undefined ? 'place-unknown' : 'farther'
}

const toCandidate = ({ node, address, readiness }: Target, place: Place | undefined): Candidate => ({
  node,
  address,
  readiness,
  distanceKm: node.place === null || place === undefined ? undefined : distanceKm(node.place, place),
})

const rank = (target: Target, client: UnitVector | undefined, spread: number): Ranked => ({
  target,
  chord:
    client === undefined || target.point === undefined ? Number.POSITIVE_INFINITY : chordSquared(client, target.point),
  affinity: affinity(target.seed, spread),
})

const textOf = ({ address }: Target): string => address.address

/** Never equal for two nodes: in the end their keys decide. */
function compareRanked(a: Ranked, b: Ranked): number {
  if (a.chord !== b.chord) return a.chord < b.chord ? -1 : 1
  return b.affinity - a.affinity || (a.target.node.key < b.target.node.key ? -1 : 1)
}

/** Keeps the `most` best of different addresses, in order; `most` is small. */
function insert(best: Ranked[], ranked: Ranked, most: number): void {
  const twin = best.findIndex(({ target }) => textOf(target) === textOf(ranked.target))
  if (twin >= 0) {
    if (compareRanked(ranked, best[twin] as Ranked) > 0) return
    best.splice(twin, 1)
  }
  if (best.length === most && compareRanked(ranked, best[most - 1] as Ranked) > 0) return
  const at = best.findIndex((other) => compareRanked(ranked, other) < 0)
  best.splice(at < 0 ? best.length : at, 0, ranked)
  if (best.length > most) best.pop()
}

function listTargets(nodes: readonly NodeView[], standings: NodeStandings, family: AddressFamily): readonly Target[] {
  return nodes
    .flatMap((node): Target[] => {
      const address = findAddress(node[family], family)
      if (address === undefined) return []
      const readiness = readinessOf(node, standings.get(node.key), family)
      const point = node.place === null ? undefined : unitVector(node.place)
      return [{ node, address, point, readiness, tier: TIERS.indexOf(readiness), seed: affinitySeed(node.key) }]
    })
    .sort((a, b) => a.tier - b.tier)
}
