import type { Ask } from '../../guest-contract/index.ts'
import type { Answered, Told, WasiPorts } from '../wasi-ports.ts'

/** Ends the run: a guest broke a contract, or wants more than there is. Not an answer that it could go on with. */
export class GuestTrap extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'GuestTrap'
  }
}

/** Files, streams, connections, fields and pollables that a guest may hold at a time. */
export const MAX_HANDLES = 4096
/** Of all contents that a guest has written for requests that are not sent yet. */
export const MAX_HELD_BYTES = 16 * 1024 * 1024
/**
 * The monotonic clock moves in steps of this, so that what takes less cannot be timed: a defence against reading by the
 * time that a cache takes. The wall clock moves by the millisecond.
 */
export const CLOCK_STEP_NS = 100_000n
const STEPS_PER_MS = 10

/** What one instance of a guest holds of the outside: counted, so that it stays within bounds, and gone with it. */
export class Instance {
  readonly ports: WasiPorts
  #handles = 0
  #heldBytes = 0

  constructor(ports: WasiPorts) {
    this.ports = ports
  }

  get handles(): number {
    return this.#handles
  }

  get hasRoom(): boolean {
    return this.#handles < MAX_HANDLES
  }

  /** Counts a handle; throws a GuestTrap where there are too many. */
  hold(): void {
    if (!this.hasRoom) throw new GuestTrap(`more than ${MAX_HANDLES} handles are open`)
    this.#handles++
  }

  release(): void {
    this.#handles--
  }

  /** Bytes that may still be held. */
  get freeBytes(): number {
    return MAX_HELD_BYTES - this.#heldBytes
  }

  holdBytes(count: number): void {
    this.#heldBytes += count
  }

  releaseBytes(count: number): void {
    this.#heldBytes -= count
  }

  /** Blocks until the owner answered. */
  ask(ask: Exclude<Ask, Told>, body?: Uint8Array): Answered {
    return this.ports.channel.ask(ask, body)
  }

  /** Nanoseconds of the monotonic clock, in whole steps. */
  monotonicNs(): bigint {
    return BigInt(Math.floor(this.ports.runtime.monotonic() * STEPS_PER_MS)) * CLOCK_STEP_NS
  }
}

/**
 * What a guest has a handle of. The glue calls the disposer when the guest drops it; a method called through a handle that is
 * gone finds no private fields, which throws and thereby traps.
 */
export abstract class Resource {
  readonly #instance: Instance
  #isHeld = true

  constructor(instance: Instance) {
    instance.hold()
    this.#instance = instance
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#instance.release()
    this.dropped()
  }

  /** Gives up what is behind it; called once. */
  protected dropped(): void {}
}

/** Something at the owner, with several handles over here: it is closed there when the last of them is dropped. */
export class Remote {
  readonly id: number
  readonly #instance: Instance
  #users = 1

  constructor(instance: Instance, id: number) {
    this.#instance = instance
    this.id = id
  }

  retain(): this {
    this.#users++
    return this
  }

  release(): void {
    if (--this.#users === 0) this.#instance.ask({ ask: 'close', id: this.id })
  }
}

/** A length of a guest's, as far as it is sensible. */
export function clampLength(length: bigint, most: number): number {
  return length > BigInt(most) ? most : Number(length)
}

/** What an answer must be where its ask has none other: an owner that says something else is no owner of ours. */
export function refuseAnswer(ask: Ask['ask']): GuestTrap {
  return new GuestTrap(`an answer to ${ask} makes no sense`)
}

/**
 * As the glue wants a class that guests construct: `new` gives what `make` makes, which is an instance of the class, and
 * needs to know whose it is.
 */
export function buildConstructor(
  { prototype }: { prototype: object },
  make: (...given: never[]) => object,
  statics: object = {},
): object {
  function construct(...given: never[]): object {
    return make(...given)
  }
  construct.prototype = prototype
  return Object.assign(construct, statics)
}
