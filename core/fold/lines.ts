import { Interned } from '../packed/index.ts'

const NOTHING: readonly number[] = []
const NO_TOUCH = -1

/**
 * The touches under each name (a key, or a scope that is removed): the last one, and the frontier. Names go by their
 * numbers, in the order in which they were added; none is ever taken out.
 */
export class Lines {
  readonly #names: Interned
  readonly #last: number[]
  /** A frontier of one touch, as most are, is kept as that touch. */
  readonly #frontiers: (number | readonly number[] | undefined)[]
  readonly #members: (number[] | undefined)[]

  constructor(names: readonly string[] = []) {
    this.#names = new Interned(names)
    this.#last = names.map(() => NO_TOUCH)
    this.#frontiers = names.map(() => NOTHING)
    this.#members = names.map(() => undefined)
  }

  get size(): number {
    return this.#names.size
  }

  /** The number of a name, which it had before or gets now. */
  add(name: string): number {
    const number = this.#names.add(name)
    if (number === this.#last.length) {
      this.#last.push(NO_TOUCH)
      this.#frontiers.push(NOTHING)
      this.#members.push(undefined)
    }
    return number
  }

  find(name: string): number | undefined {
    return this.#names.find(name)
  }

  name(number: number): string {
    return this.#names.at(number)
  }

  names(): readonly string[] {
    return this.#names.texts()
  }

  /** The touch that was put last; -1 before the first. */
  last(number: number): number {
    return this.#last[number] as number
  }

  setLast(number: number, touch: number): void {
    this.#last[number] = touch
  }

  /** Undefined while it is not known. */
  frontier(number: number): readonly number[] | undefined {
    const frontier = this.#frontiers[number]
    return typeof frontier === 'number' ? [frontier] : frontier
  }

  setFrontier(number: number, frontier: readonly number[] | undefined): void {
    this.#frontiers[number] = frontier?.length === 1 ? frontier[0] : frontier
  }

  /** What was added to a name by `addMember`: the keys of a scope. */
  members(number: number): readonly number[] {
    return this.#members[number] ?? NOTHING
  }

  addMember(number: number, member: number): void {
    const members = this.#members[number]
    if (members === undefined) this.#members[number] = [member]
    else members.push(member)
  }
}
