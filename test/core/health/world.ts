import type {
  AddressFamily,
  HealthMonitor,
  HealthMonitorOptions,
  MemberKey,
  NodeName,
  NodeStandings,
  NodeView,
  ProbeTarget,
  WatchedNode,
} from '../../../core/index.ts'
import { type Located, Steering } from '../../../dns/steering/index.ts'
import { createRandom, type Random } from '../../support/seeds.ts'

export const INTERVAL_MS = 10_000
export const TIMEOUT_MS = 5000
export const THRESHOLDS = { failures: 3, successes: 2 }
const HEARTBEAT_MS = 5000
const UP_MS = 15_000
const STEP_MS = 1000
const MAX_GOSSIP_MS = 2000

const NOWHERE: Located = { place: undefined, spread: 0, scopePrefix: 0, by: 'resolver', source: 'unknown' }

export const FAMILIES: readonly AddressFamily[] = ['ipv4', 'ipv6']
export type MakeMonitor = (options: HealthMonitorOptions) => HealthMonitor
export type Liar = (random: Random, world: World, self: WorldNode) => unknown

/** A node as the simulation knows it: what is true of it, its monitor, and what is on its way to it. */
export interface WorldNode {
  readonly index: number
  readonly view: NodeView
  monitor: HealthMonitor
  /** The process runs: it probes, gossips and answers questions. */
  alive: boolean
  /** Its public face answers. */
  web: boolean
  /** Its prober runs. */
  probing: boolean
  /** It has no route for this family. */
  routeless: AddressFamily | undefined
  liar: Liar | undefined
  readonly phaseMs: number
  said: string
  saidAtMs: number
  counter: number
  standings: NodeStandings
  readonly heard: Map<number, { counter: number; atMs: number; fresh: boolean; said: string }>
}

export interface WorldOptions {
  readonly seed: number
  readonly size: number
  readonly make: MakeMonitor
  /** Single probes get lost, never enough of them in a row to matter. */
  readonly lossy?: boolean
}

type Arrival =
  | {
      readonly atMs: number
      readonly kind: 'probe'
      readonly by: WorldNode
      readonly monitor: HealthMonitor
      readonly target: ProbeTarget
      readonly outcome: 'up' | 'down' | 'unable'
    }
  | {
      readonly atMs: number
      readonly kind: 'word'
      readonly from: number
      readonly to: number
      readonly counter: number
      readonly said: string
    }

/** A cluster in virtual time: public paths and mesh paths are cut apart from each other, each in one direction. */
export class World {
  readonly random: Random
  readonly nodes: WorldNode[] = []
  nowMs = 1_000_000
  readonly #make: MakeMonitor
  readonly #lossy: boolean
  /** Cuts of one direction: `from-to`. */
  readonly publicCuts = new Set<string>()
  readonly meshCuts = new Set<string>()
  readonly #lost = new Map<string, number>()
  #arrivals: Arrival[] = []
  #joined = 0
  /** Standings are another object when they, or the nodes, are others. */
  readonly #answers = new WeakMap<NodeStandings, Partial<Record<AddressFamily, readonly WorldNode[]>>>()

  constructor({ seed, size, make, lossy = false }: WorldOptions) {
    this.random = createRandom(seed)
    this.#make = make
    this.#lossy = lossy
    for (let i = 0; i < size; i++) this.join()
  }

  get alive(): readonly WorldNode[] {
    return this.nodes.filter(({ alive }) => alive)
  }

  join(): WorldNode {
    const index = this.#joined++
    const key = keyOf(index)
    const node: WorldNode = {
      index,
      view: {
        key,
        name: `n${index}` as NodeName,
        ipv4: `192.0.2.${index + 1}`,
        ipv6: index % 2 === 0 ? `2001:db8::${index + 1}` : null,
        nameserver: index % 3 !== 2,
        drained: false,
        place: null,
        schema: 3,
        mesh: null,
      },
      monitor: this.#make({ self: key, thresholds: THRESHOLDS, intervalMs: INTERVAL_MS }),
      alive: true,
      web: true,
      probing: true,
      routeless: undefined,
      liar: undefined,
      phaseMs: this.random.integer(INTERVAL_MS / STEP_MS) * STEP_MS,
      said: '',
      saidAtMs: Number.NEGATIVE_INFINITY,
      counter: 0,
      standings: new Map(),
      heard: new Map(),
    }
    this.nodes.push(node)
    this.#tellMembers()
    return node
  }

  remove(node: WorldNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1)
    this.#tellMembers()
  }

  /** A new process: nothing is known but what is told anew. */
  restart(node: WorldNode): void {
    node.monitor = this.#make({ self: node.view.key, thresholds: THRESHOLDS, intervalMs: INTERVAL_MS })
    node.monitor.setNodes(this.#watched())
    node.heard.clear()
    node.said = ''
  }

  heal(): void {
    this.publicCuts.clear()
    this.meshCuts.clear()
    for (const node of this.nodes) Object.assign(node, { web: true, probing: true, routeless: undefined })
  }

  /** Nodes of different groups reach each other neither way, by the paths that are named. */
  partition(groups: readonly (readonly WorldNode[])[], paths: readonly ('public' | 'mesh')[]): void {
    for (const group of groups)
      for (const from of group)
        for (const to of this.nodes) if (!group.includes(to)) for (const path of paths) this.cut(path, from, to)
  }

  cut(path: 'public' | 'mesh', from: WorldNode, to: WorldNode): void {
    ;(path === 'public' ? this.publicCuts : this.meshCuts).add(`${from.index}-${to.index}`)
  }

  /** Whether a visitor beside `from` gets an answer of the web server at `to`. */
  reaches(from: WorldNode, to: WorldNode): boolean {
    return to.alive && to.web && !this.publicCuts.has(`${from.index}-${to.index}`)
  }

  /** Whose words arrive at a node, over any number of hops; itself is among them. */
  hearable(by: WorldNode): ReadonlySet<WorldNode> {
    return new Set(this.alive.filter((from) => from === by || this.#audience(from).has(by)))
  }

  /** What the name server of a node names in its answer, all of the best tier. */
  answer(node: WorldNode, family: AddressFamily): readonly WorldNode[] {
    const known = this.#answers.get(node.standings)?.[family]
    if (known !== undefined) return known
    const views = this.nodes.map(({ view }) => view)
    const { chosen } = new Steering(views, node.standings, views.length).choose(family, NOWHERE)
    const keys = new Set(chosen.map(({ node: { key } }) => key))
    const answer = this.nodes.filter(({ view }) => keys.has(view.key))
    this.#answers.set(node.standings, { ...this.#answers.get(node.standings), [family]: answer })
    return answer
  }

  step(): void {
    this.nowMs += STEP_MS
    const due = this.#arrivals.filter(({ atMs }) => atMs <= this.nowMs)
    this.#arrivals = this.#arrivals.filter(({ atMs }) => atMs > this.nowMs)
    for (const arrival of due) this.#arrive(arrival)
    for (const node of this.alive) {
      this.#listen(node)
      if (node.probing && (this.nowMs + node.phaseMs) % INTERVAL_MS === 0) this.#probe(node)
      this.#speak(node)
      node.standings = node.monitor.standings(this.nowMs, new Set())
    }
  }

  #arrive(arrival: Arrival): void {
    if (arrival.kind === 'probe') {
      const { by, monitor, target, outcome } = arrival
      if (by.alive && by.monitor === monitor)
        monitor.record({ ...target, outcome, reason: `timed out ${this.random.integer(100)}` }, this.nowMs)
      return
    }
    const to = this.nodes.find(({ index }) => index === arrival.to)
    if (to === undefined || !to.alive) return
    const known = to.heard.get(arrival.from)
    if (known !== undefined && known.counter >= arrival.counter) return
    const { counter, said } = arrival
    to.heard.set(arrival.from, { counter, said, atMs: this.nowMs, fresh: true })
    if (known?.said !== said || !known.fresh) to.monitor.hear(keyOf(arrival.from), JSON.parse(said).health, true)
  }

  /** Time-outs are local, and told once. */
  #listen(node: WorldNode): void {
    for (const [from, heard] of node.heard) {
      if (!heard.fresh || this.nowMs - heard.atMs <= UP_MS) continue
      heard.fresh = false
      node.monitor.hear(keyOf(from), JSON.parse(heard.said).health, false)
    }
  }

  #probe(node: WorldNode): void {
    const byKey = new Map(this.nodes.map((one) => [one.view.key, one]))
    for (const target of node.monitor.targets()) {
      const to = byKey.get(target.key)
      if (to === undefined) continue
      const good =
        this.reaches(node, to) && !this.#loses(`${node.index}-${target.key}-${target.family}-${target.service}`)
      const outcome = node.routeless === target.family ? 'unable' : good ? 'up' : 'down'
      const tookMs = outcome === 'down' ? this.random.integer(TIMEOUT_MS) : this.random.integer(300)
      this.#arrivals.push({
        atMs: this.nowMs + tookMs,
        kind: 'probe',
        by: node,
        monitor: node.monitor,
        target,
        outcome,
      })
    }
  }

  /** One in ten, and never two within four: below every threshold. */
  #loses(path: string): boolean {
    const sinceLost = (this.#lost.get(path) ?? 4) + 1
    const lost = this.#lossy && sinceLost > 4 && this.random.chance(0.1)
    this.#lost.set(path, lost ? 0 : sinceLost)
    return lost
  }

  #speak(node: WorldNode): void {
    const health = node.liar === undefined ? node.monitor.say(this.nowMs) : node.liar(this.random, this, node)
    const said = JSON.stringify({ health })
    if (said === node.said && this.nowMs - node.saidAtMs < HEARTBEAT_MS) return
    node.said = said
    node.saidAtMs = this.nowMs
    node.counter += 1
    for (const to of this.#audience(node)) {
      if (to === node) continue
      const atMs = this.nowMs + this.random.integer(MAX_GOSSIP_MS)
      this.#arrivals.push({ atMs, kind: 'word', from: node.index, to: to.index, counter: node.counter, said })
    }
  }

  /** Who gets the words of a node, over any number of hops. */
  #audience(from: WorldNode): ReadonlySet<WorldNode> {
    const found = new Set([from])
    for (const by of found)
      for (const to of this.alive) if (!this.meshCuts.has(`${by.index}-${to.index}`)) found.add(to)
    return found
  }

  #watched(): readonly WatchedNode[] {
    return this.nodes.map(({ view }) => view)
  }

  #tellMembers(): void {
    for (const { monitor } of this.nodes) monitor.setNodes(this.#watched())
  }
}

export const keyOf = (index: number): MemberKey => `k${String(index).padStart(51, 'a')}` as MemberKey
