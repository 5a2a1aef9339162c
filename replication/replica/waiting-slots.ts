import type { OperationId } from '../../core/index.ts'
import type { Slot } from './update-writer.ts'

/** Some megabytes. Those that came first make room: a sync brings them again. */
const MAX_SLOTS = 16_384

/**
 * Slots that came before their operation could be stored, or before the slots that they follow; without bytes. Without
 * them each node that hears of an operation before its heads would give it a second slot.
 */
export class WaitingSlots {
  readonly #byId = new Map<OperationId, Slot>()
  readonly #byPlace = new Map<string, Slot>()

  /** An operation waits in one slot: the first that it was heard in. */
  add({ client, clock, id }: Slot): void {
    const place = nameOf(client, clock)
    if (this.#byId.has(id) || this.#byPlace.has(place)) return
    const slot = { client, clock, id }
    this.#byId.set(id, slot)
    this.#byPlace.set(place, slot)
    const [oldest] = this.#byId.values()
    if (this.#byId.size > MAX_SLOTS && oldest !== undefined) this.#forget(oldest)
  }

  find(id: OperationId): Slot | undefined {
    return this.#byId.get(id)
  }

  /** What waits to stand there; it waits no more. */
  take(client: number, clock: number): Slot | undefined {
    const slot = this.#byPlace.get(nameOf(client, clock))
    if (slot !== undefined) this.#forget(slot)
    return slot
  }

  #forget({ client, clock, id }: Slot): void {
    this.#byId.delete(id)
    this.#byPlace.delete(nameOf(client, clock))
  }
}

const nameOf = (client: number, clock: number) => `${client}.${clock}`
