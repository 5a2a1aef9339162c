import type { Socket } from 'node:net'
import { clientPrefix } from '../message/index.ts'

/** From this share of the budget, who rests gives way to who comes. */
const TIGHT = 0.75
/** And from this share, connections of one network may only take the place of each other. */
const MOST_OF_ONE = 0.5
/** Whoever is on this computer is no stranger, and may be a proxy that nobody told us of. */
const OWN_NETWORKS: readonly string[] = [clientPrefix('127.0.0.1'), clientPrefix('::1')]

/** What one network of clients holds. */
interface Network {
  readonly name: string
  held: number
  /** Those that rest, since which turn; longest ago first. */
  readonly resting: Map<Socket, number>
}

export interface BudgetOptions {
  /** Whether an address is that of a proxy that is believed, which holds connections for many; none is without it. */
  readonly isProxy?: ((address: string) => boolean) | undefined
}

/**
 * The sockets that a worker holds at once, over all its listeners. Who only holds a socket must not take the place of
 * those who ask, nor one network (`clientPrefix`) that of all others, nor anybody the store's last file descriptor.
 */
export class ConnectionBudget {
  readonly max: number
  readonly #isProxy: (address: string) => boolean
  readonly #held = new Map<Socket, Network>()
  readonly #networks = new Map<string, Network>()
  #turn = 0

  constructor(max: number, { isProxy = () => false }: BudgetOptions = {}) {
    this.max = max
    this.#isProxy = isProxy
  }

  get count(): number {
    return this.#held.size
  }

  /**
   * False where there is no place: the socket was closed unheard. A place is given back when its socket closes. While three
   * quarters are taken, the network with the most connections that ask for nothing loses the one that did so longest; a
   * network that holds half of all loses one of its own, or gets no new one.
   */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? ''
    const name = clientPrefix(address)
    if (this.#held.size + 1 > this.max * TIGHT) {
      const network = this.#networks.get(name)
      const isGreedy = (network?.held ?? 0) + 1 > this.max * MOST_OF_ONE && !this.#isMany(name, address)
      const [longest] = (isGreedy ? network : this.#mostResting())?.resting.keys() ?? []
      // Its place is free at once: many may come before its close is told.
      if (longest !== undefined) this.#leave(longest.destroy())
      else if (isGreedy) return refuse(socket)
    }
    if (this.#held.size >= this.max) return refuse(socket)
    this.#enter(socket, name)
    socket.once('close', () => this.#leave(socket))
    return true
  }

  /** Everything that was asked on it is answered; what has begun to come is no request yet. */
  rests(socket: Socket): void {
    const resting = this.#held.get(socket)?.resting
    if (resting !== undefined && !socket.destroyed && !resting.has(socket)) resting.set(socket, this.#turn++)
  }

  /** It has asked. */
  wakes(socket: Socket): void {
    this.#held.get(socket)?.resting.delete(socket)
  }

  #isMany(name: string, address: string): boolean {
    return OWN_NETWORKS.includes(name) || this.#isProxy(address)
  }

  #enter(socket: Socket, name: string): void {
    const network = this.#networks.get(name) ?? { name, held: 0, resting: new Map() }
    network.held++
    network.resting.set(socket, this.#turn++)
    this.#networks.set(name, network)
    this.#held.set(socket, network)
  }

  #leave(socket: Socket): void {
    const network = this.#held.get(socket)
    if (network === undefined) return
    this.#held.delete(socket)
    network.resting.delete(socket)
    if (--network.held === 0) this.#networks.delete(network.name)
  }

  /** Among equals, the one whose longest rests longest; undefined where nobody rests. */
  #mostResting(): Network | undefined {
    let most: Network | undefined
    for (const network of this.#networks.values()) {
      const more = network.resting.size - (most?.resting.size ?? 0)
      if (more > 0 || (more === 0 && most !== undefined && firstTurn(network) < firstTurn(most))) most = network
    }
    return most
  }
}

function refuse(socket: Socket): false {
  socket.destroy()
  return false
}

function firstTurn({ resting }: Network): number {
  const [turn = Number.POSITIVE_INFINITY] = resting.values()
  return turn
}
