import type { AddressFamily } from '../../../core/index.ts'
import type { World, WorldNode } from './world.ts'

/** In clusters up to this size everybody watches everybody, and the rules decide every case. */
const ALL_WATCH = 10

export type Expected = 'up' | 'down' | 'either'

/** The rules of the design as plain sets, from what is true in the world and not from what anybody said. */
export class Oracle {
  readonly #world: World
  readonly #hearable: ReadonlyMap<WorldNode, ReadonlySet<WorldNode>>

  constructor(world: World) {
    this.#world = world
    this.#hearable = new Map(world.nodes.map((node) => [node, world.hearable(node)]))
  }

  hearsMajority(node: WorldNode): boolean {
    const { length } = this.#world.nodes
    return length !== 2 && (this.#hearable.get(node)?.size ?? 0) > length / 2
  }

  /** What a node should conclude of an address once all is settled. */
  expect(by: WorldNode, target: WorldNode, family: AddressFamily): Expected {
    if (!this.hearsMajority(by)) return this.#sees(by, target, family) !== false ? 'up' : 'down'
    const voted = this.#vote(by, target, family)
    if (voted !== 'down') return voted
    // Where votes leave no address, those that the node itself sees are better than the others.
    const all = this.#world.nodes.filter(({ view }) => view[family] !== null)
    if (all.some((one) => this.#vote(by, one, family) === 'up')) return 'down'
    if (this.#world.nodes.length > ALL_WATCH) return 'either'
    return this.#sees(by, target, family) === true ? 'up' : 'down'
  }

  #vote(by: WorldNode, target: WorldNode, family: AddressFamily): Expected {
    const observers = [...(this.#hearable.get(by) ?? [])].filter((one) => one !== target && this.hearsMajority(one))
    const words = observers.map((one) => this.#sees(one, target, family)).filter((word) => word !== undefined)
    const downs = words.filter((up) => !up).length
    // Of a sample only this is certain.
    if (this.#world.nodes.length > ALL_WATCH && downs > 0 && downs < words.length) return 'either'
    return downs * 2 > words.length ? 'down' : 'up'
  }

  #sees(by: WorldNode, target: WorldNode, family: AddressFamily): boolean | undefined {
    return by.probing && by.routeless !== family ? this.#world.reaches(by, target) : undefined
  }
}
