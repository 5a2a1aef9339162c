import type { Socket } from 'node:net'

/** From this share of the budget, who rests gives way to who comes. */
const TIGHT = 0.75

/**
 * The sockets that a worker holds at once, over all its listeners. Who only holds a socket must not take the place of
 * those who ask, nor the store's last file descriptor.
 */
export class ConnectionBudget {
  readonly max: number
  #count = 0
  /** Connections that were answered and ask for nothing, longest ago first. */
  readonly #resting = new Set<Socket>()

  constructor(max: number) {
    this.max = max
  }

  get count(): number {
    return this.#count
  }

  /** False where there is no place: the socket was closed unheard. A place is given back when its socket closes. */
  admit(socket: Socket): boolean {
    if (this.#count >= this.max) {
      socket.destroy()
      return false
    }
    this.#count++
    socket.once('close', () => {
      this.#count--
      this.#resting.delete(socket)
    })
    if (this.#count > this.max * TIGHT) {
      const [longest] = this.#resting
      longest?.destroy()
    }
    return true
  }

  /** Everything that was asked on it is answered. */
  rests(socket: Socket): void {
    if (!socket.destroyed) this.#resting.add(socket)
  }

  /** It asks again. */
  wakes(socket: Socket): void {
    this.#resting.delete(socket)
  }
}
