import type { Socket } from 'node:net'

/** From this share of the budget, who rests gives way to who comes. */
const TIGHT = 0.75

/**
 * The sockets that a worker holds at once, over all its listeners. Who only holds a socket must not take the place of
 * those who ask, nor the store's last file descriptor.
 */
export class ConnectionBudget {
  readonly max: number
  readonly #held = new Set<Socket>()
  /** Connections that ask for nothing: they were answered, or their first request is not here yet. Longest ago first. */
  readonly #resting = new Set<Socket>()

  constructor(max: number) {
    this.max = max
  }

  get count(): number {
    return this.#held.size
  }

  /** False where there is no place: the socket was closed unheard. A place is given back when its socket closes. */
  admit(socket: Socket): boolean {
    if (this.#held.size + 1 > this.max * TIGHT) {
      const [longest] = this.#resting
      // Its place is free at once: many may come before its close is told.
      if (longest !== undefined) this.#leave(longest.destroy())
    }
    if (this.#held.size >= this.max) {
      socket.destroy()
      return false
    }
    this.#held.add(socket)
    this.#resting.add(socket)
    socket.once('close', () => this.#leave(socket))
    return true
  }

  #leave(socket: Socket): void {
    this.#held.delete(socket)
    this.#resting.delete(socket)
  }

  /** Everything that was asked on it is answered; what has begun to come is no request yet. */
  rests(socket: Socket): void {
    if (!socket.destroyed) this.#resting.add(socket)
  }

  /** It has asked. */
  wakes(socket: Socket): void {
    this.#resting.delete(socket)
  }
}
