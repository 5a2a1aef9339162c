import type { AddressFamily, HealthMonitor, NodeStandings, Standing } from '../../../core/index.ts'
import { Oracle } from './oracle.ts'
import { FAMILIES, INTERVAL_MS, type MakeMonitor, THRESHOLDS, TIMEOUT_MS, World, type WorldNode } from './world.ts'

const SECOND = 1000
/** Failing probes one after the other, the first up to an interval late, and the way of the word. */
const DETECT_MS = THRESHOLDS.failures * INTERVAL_MS + TIMEOUT_MS + 2 * SECOND + 3 * SECOND
/** Until a silence is noticed, and the next probe after it. */
const SILENCE_MS = 15 * SECOND + 3 * SECOND + INTERVAL_MS
/** Until everybody knows everything: silence, then failures, or successes of which each second one was lost. */
export const SETTLE_MS = DETECT_MS + SILENCE_MS + 2 * INTERVAL_MS
const WATCH_MS = 12 * SECOND
const FIRST_HOLD_MS = 30 * SECOND
const MAX_HOLD_MS = 600 * SECOND

export const TROUBLES = [
  'deaths',
  'isolation',
  'partition',
  'mesh',
  'cuts',
  'processes',
  'members',
  'flaps',
  'liars',
] as const
export type Trouble = (typeof TROUBLES)[number]

export interface Run {
  readonly seed: number
  readonly size: number
  readonly troubles: readonly Trouble[]
  readonly make: MakeMonitor
}

interface Trace {
  monitor: HealthMonitor
  standing: Standing
  sinceMs: number
  falls: number
}

/**
 * One life of a cluster through some troubles. The laws, by number; "settled" is `SETTLE_MS` after the last change of the world:
 *
 * 1. `DETECT_MS` after an address died for all (in sampled clusters: and a silence was noticed), every node that hears a
 *    majority, or saw it itself, holds it for down, and names it in no answer while any other address is left.
 * 2. Settled, each node's verdicts are those of `Oracle`. From that follows, and is tried too: where groups of nodes and the
 *    visitors beside them are cut off from each other in whatever way, or the mesh alone is, a visitor gets only addresses
 *    that it reaches, if it reaches any. More cannot hold. What only one visitor cannot reach is seen by no node. Of cuts
 *    between single nodes a majority sees what most of its observers see: a visitor beside the others may be sent where it
 *    gets no answer.
 * 3. No answer is empty.
 * 4. An address that left the answers of a node returns after the hold, which doubles, and no earlier.
 * 5. When all is well, no node is down after `SETTLE_MS`, and all are up when the longest hold is over.
 * 6. Members that lie and are less than half of the observers of an address change no verdict of it, also when the node
 *    itself lies with them.
 */
export class Simulation {
  readonly world: World
  readonly violations = new Set<string>()
  readonly #traces = new Map<string, Trace>()
  /** What was looked at last: nothing is new while it is the same. */
  readonly #checked = new WeakMap<HealthMonitor, NodeStandings>()
  readonly #troubles: readonly Trouble[]

  constructor({ seed, size, troubles, make }: Run) {
    this.world = new World({ seed, size, make, lossy: seed % 3 === 0 })
    this.#troubles = troubles
  }

  /** The laws that were broken, none twice. */
  run(): readonly string[] {
    this.#pass(SETTLE_MS)
    for (const trouble of this.#troubles) {
      this[trouble]()
      this.#recover()
    }
    // Law 5: all return to up.
    this.#pass(MAX_HOLD_MS, () => this.#all('up'))
    if (!this.#all('up')) this.violations.add('5: a node is not up long after all was well')
    return [...this.violations]
  }

  /** Some die or only their public face does: nobody answers with them past the threshold. */
  deaths(): void {
    const { world } = this
    const { random } = world
    const dead = random.shuffle(world.nodes).slice(0, random.integer(world.nodes.length))
    for (const node of dead) {
      if (random.chance(0.6)) node.alive = false
      else node.web = false
    }
    this.#pass(world.nodes.length > 10 ? DETECT_MS + SILENCE_MS : DETECT_MS)
    this.#watch(() => {
      for (const node of world.alive)
        for (const family of FAMILIES) {
          const others = dead.filter((one) => addressed(one, family))
          for (const one of others)
            if (this.#standing(node, one, family) !== 'down') this.violations.add('1: a dead node is not down')
          const working = world.nodes.some((one) => addressed(one, family) && !others.includes(one))
          if (working && world.answer(node, family).some((one) => others.includes(one)))
            this.violations.add('1: an answer has the address of a dead node')
        }
    })
    this.#settle()
  }

  /** One node is cut off from all others, for visitors and for the mesh: in small clusters each in turn. */
  isolation(): void {
    const { world } = this
    const count = world.nodes.length > 5 ? 1 : world.nodes.length
    for (const alone of world.random.shuffle(world.nodes).slice(0, count)) {
      world.heal()
      world.partition([[alone], world.nodes.filter((node) => node !== alone)], ['public', 'mesh'])
      this.#settle()
      this.#watch(() => this.#checkReachable())
    }
  }

  partition(): void {
    const { world } = this
    const groups: WorldNode[][] = [[], [], []]
    for (const node of world.nodes) world.random.pick(groups).push(node)
    world.partition(groups, ['public', 'mesh'])
    for (const node of world.nodes) if (world.random.chance(0.2)) node.alive = false
    this.#settle()
    this.#watch(() => this.#checkReachable())
  }

  /** Paths of the mesh are cut, each in one direction; visitors notice nothing. */
  mesh(): void {
    const { world } = this
    const share = world.random.next()
    for (const from of world.nodes)
      for (const to of world.nodes) if (world.random.chance(share)) world.cut('mesh', from, to)
    this.#settle()
    this.#watch(() => this.#checkReachable())
  }

  /** Anything between any two, in one direction. */
  cuts(): void {
    const { world } = this
    const { random } = world
    const shares = { public: random.next(), mesh: random.next() ** 2 }
    for (const path of ['public', 'mesh'] as const)
      for (const from of world.nodes)
        for (const to of world.nodes) if (from !== to && random.chance(shares[path])) world.cut(path, from, to)
    this.#settle()
  }

  /** Processes begin anew, probers stall, nodes lose their route for a family, faces fail. */
  processes(): void {
    const { world } = this
    const { random } = world
    for (const node of world.nodes) {
      if (random.chance(0.2)) world.restart(node)
      if (random.chance(0.2)) node.probing = false
      if (random.chance(0.2)) node.routeless = random.pick(FAMILIES)
      if (random.chance(0.2)) node.web = false
    }
    this.#settle()
  }

  members(): void {
    const { world } = this
    const { random } = world
    const change = () => {
      if (world.nodes.length > 1 && random.chance(0.5)) world.remove(random.pick(world.nodes))
      else world.join()
    }
    for (let left = 3; left > 0; left--) {
      change()
      this.#pass(random.integer(40) * SECOND)
    }
    if (random.chance(0.5)) random.pick(world.nodes).alive = false
    this.#settle()
  }

  /** A face comes and goes. */
  flaps(): void {
    const { world } = this
    const { random } = world
    const node = random.pick(world.nodes)
    for (let left = 3 + random.integer(6); left > 0; left--) {
      node.web = !node.web
      this.#pass((20 + random.integer(80)) * SECOND)
    }
    world.heal()
    this.#settle()
  }

  /** Members say what is not: fewer than half of the observers of an address change no verdict. */
  liars(): void {
    const { world } = this
    const { random } = world
    const observers = Math.min(world.nodes.length - 1, world.nodes.length > 10 ? 7 : 9)
    // One more than may lie about another: for it lies about itself.
    const count = observers < 3 ? 0 : Math.ceil(observers / 2)
    const liars = random.shuffle(world.nodes).slice(0, count)
    const how = random.integer(4)
    for (const node of liars) node.liar = (...told) => lie(how, ...told)
    for (const node of liars) if (random.chance(0.5)) node.web = false
    this.#pass(SETTLE_MS)
    this.#watch(() => {
      for (const node of world.alive)
        for (const target of world.nodes) {
          if (node.liar !== undefined) continue
          if (liars.filter((one) => one !== target).length * 2 >= observers) continue
          for (const family of FAMILIES)
            if (addressed(target, family) && (this.#standing(node, target, family) !== 'down') !== target.web)
              this.violations.add('6: a minority that lies changed a verdict')
        }
    })
    for (const node of liars) node.liar = undefined
  }

  #recover(): void {
    const { world } = this
    world.heal()
    for (const node of world.nodes) {
      if (node.alive) continue
      node.alive = true
      world.restart(node)
    }
    this.#pass(SETTLE_MS)
    if (this.world.nodes.some((node) => [...node.standings.values()].some((one) => one.ipv4 === 'down')))
      this.violations.add('5: a node is down after all was well')
  }

  /** Passes until all is settled, and compares with the rules. */
  #settle(): void {
    const oracle = new Oracle(this.world)
    this.#pass(SETTLE_MS)
    this.#watch(() => {
      for (const node of this.world.alive)
        for (const target of this.world.nodes)
          for (const family of FAMILIES) {
            if (!addressed(target, family)) continue
            const expected = oracle.expect(node, target, family)
            const found = this.#standing(node, target, family) === 'down' ? 'down' : 'up'
            if (expected !== 'either' && expected !== found)
              this.violations.add(`2: the rules say ${expected} and the verdict is ${found}`)
          }
    })
  }

  /** A visitor beside a name server gets only addresses that it reaches, where it reaches any. */
  #checkReachable(): void {
    const { world } = this
    for (const node of world.alive)
      for (const family of FAMILIES) {
        const reachable = world.nodes.filter((one) => addressed(one, family) && world.reaches(node, one))
        if (reachable.length > 0 && !world.answer(node, family).every((one) => reachable.includes(one)))
          this.violations.add('2: a visitor gets an address that it does not reach')
      }
  }

  #watch(check: () => void): void {
    this.#pass(WATCH_MS, () => {
      check()
      return false
    })
  }

  /** Lets time pass, until `done` says so at the latest; laws 3 and 4 hold at every moment. */
  #pass(forMs: number, done: () => boolean = () => false): void {
    const untilMs = this.world.nowMs + forMs
    while (this.world.nowMs < untilMs && !done()) {
      this.world.step()
      for (const node of this.world.alive) {
        if (this.#checked.get(node.monitor) === node.standings) continue
        this.#checked.set(node.monitor, node.standings)
        for (const family of FAMILIES) this.#checkMoment(node, family)
      }
    }
  }

  #checkMoment(node: WorldNode, family: AddressFamily): void {
    const { world } = this
    if (world.nodes.some((one) => addressed(one, family)) && world.answer(node, family).length === 0)
      this.violations.add('3: an answer is empty')
    for (const target of world.nodes) {
      const id = `${node.index} ${target.index} ${family}`
      const standing = this.#standing(node, target, family)
      const trace = this.#traces.get(id)
      if (trace?.monitor !== node.monitor)
        this.#traces.set(id, { monitor: node.monitor, standing, sinceMs: world.nowMs, falls: 0 })
      else this.#follow(trace, standing)
    }
  }

  /** Law 4: from the fall to the return it takes the hold, which doubles with each fall before which it was not quiet. */
  #follow(trace: Trace, standing: Standing): void {
    if ((trace.standing === 'up') === (standing === 'up')) return
    const lastedMs = this.world.nowMs - trace.sinceMs
    if (standing !== 'up') trace.falls = lastedMs >= 600 * SECOND ? 1 : trace.falls + 1
    else if (lastedMs < Math.min(FIRST_HOLD_MS * 2 ** (trace.falls - 1), MAX_HOLD_MS))
      this.violations.add('4: an address came back before its hold was over')
    trace.standing = standing
    trace.sinceMs = this.world.nowMs
  }

  #standing(by: WorldNode, target: WorldNode, family: AddressFamily): Standing {
    return by.standings.get(target.view.key)?.[family] ?? 'up'
  }

  #all(standing: Standing): boolean {
    return this.world.nodes.every(({ standings }) =>
      [...standings.values()].every(({ ipv4, ipv6 }) => ipv4 === standing && ipv6 === standing),
    )
  }
}

const addressed = (node: WorldNode, family: AddressFamily): boolean => node.view[family] !== null

function lie(how: number, random: World['random'], world: World, self: WorldNode): unknown {
  const words: Record<string, Record<string, unknown>> = {}
  for (const node of world.nodes) {
    const opposite = world.reaches(self, node) ? `\u001b[2J${'down '.repeat(100)}` : true
    const word = () => (how === 0 ? opposite : random.pick([true, false, '', 'refused', 7, null, [true], { w4: true }]))
    words[node.view.key] = { w4: word(), w6: word(), d4: word(), d6: word(), more: word() }
  }
  if (how === 2) return random.pick([null, [], 'up', 7, [words], { [self.view.key]: 'down' }, words])
  for (let i = 0; how === 3 && i < 100; i++) words[`stranger ${i}`] = { w4: true }
  return words
}
