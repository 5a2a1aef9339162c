export interface GateLimits {
  /** Let in at once, and of one name. */
  readonly most: number
  readonly mostOfName: number
  /** That may wait, and of one name. */
  readonly mostWaiting: number
  readonly mostWaitingOfName: number
}

interface Queue {
  inside: number
  readonly waiting: (() => void)[]
}

/** Lets so many in at a time, and takes turns between names, so that who asks for much waits behind himself alone. */
export class FairGate {
  readonly #limits: GateLimits
  /** Whose turn comes next stands first. */
  readonly #queues = new Map<string, Queue>()
  #inside = 0
  #waiting = 0

  constructor(limits: GateLimits) {
    this.#limits = limits
  }

  /** Resolves when it is the name's turn, with what is to be called when it is over; undefined where too many wait. */
  enter(name: string): Promise<() => void> | undefined {
    const { mostWaiting, mostWaitingOfName } = this.#limits
    const queue = this.#queues.get(name) ?? { inside: 0, waiting: [] }
    if (this.#waiting >= mostWaiting || queue.waiting.length >= mostWaitingOfName) return undefined
    this.#queues.set(name, queue)
    return new Promise((resolve) => {
      this.#waiting++
      queue.waiting.push(() => resolve(this.#leaveOnce(name, queue)))
      this.#admit()
    })
  }

  #admit(): void {
    const { most, mostOfName } = this.#limits
    for (const [name, queue] of [...this.#queues]) {
      if (this.#inside >= most) return
      if (queue.inside >= mostOfName) continue
      const next = queue.waiting.shift()
      if (next === undefined) continue
      this.#waiting--
      this.#inside++
      queue.inside++
      // To the end of the line.
      this.#queues.delete(name)
      this.#queues.set(name, queue)
      next()
    }
  }

  #leaveOnce(name: string, queue: Queue): () => void {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#inside--
      queue.inside--
      if (queue.inside === 0 && queue.waiting.length === 0) this.#queues.delete(name)
      this.#admit()
    }
  }
}
