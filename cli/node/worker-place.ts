import type { BlobHash } from '../../core/index.ts'
import type { ListenAddress } from '../config/index.ts'
import type { EdgeCounters, EdgeOptions } from './edge-messages.ts'
import type { AskControl } from './edge-questions.ts'
import { WorkerHandle } from './worker-handle.ts'
import { FIRST_SOCKET_FD, WorkerSocket } from './worker-sockets.ts'

export interface PlaceOptions {
  readonly register: string
  readonly onBlobFailed: ((hash: BlobHash) => void) | undefined
  readonly onAsked: AskControl | undefined
  readonly onAlive: (worker: WorkerHandle, counters: EdgeCounters, rssBytes: number) => void
}

/** What a socket of a place is for; that of DNS is the one for TCP. */
export type SocketRole = 'http' | 'https' | 'dns'

/** One of a pool's places: its sockets, which stay while workers come and go, and the worker that has it. */
export class WorkerPlace {
  readonly #options: PlaceOptions
  #sockets: ReadonlyMap<SocketRole, WorkerSocket> = new Map()
  #idle: WorkerHandle | undefined
  #worker: WorkerHandle | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
  }

  /** A worker that was started and told nothing yet. */
  get idle(): WorkerHandle | undefined {
    return this.#idle
  }

  /** Where the socket of a part is bound; undefined while there is none. */
  addressOf(role: SocketRole): ListenAddress | undefined {
    return this.#sockets.get(role)?.address
  }

  holds(worker: WorkerHandle): boolean {
    return this.#worker === worker
  }

  /** The worker that waits here, or a new one. Throws MAKI_PORT_IN_USE or MAKI_CONFIG. */
  occupy(edge: EdgeOptions): WorkerHandle {
    // One that died before it was needed is as if it had never been.
    if (this.#idle?.hasEnded === false) return this.#idle
    if (this.#sockets.size === 0) this.#sockets = bindAll(edge)
    const { register, onBlobFailed, onAsked, onAlive } = this.#options
    const worker: WorkerHandle = new WorkerHandle({
      edge,
      register,
      sockets: [...this.#sockets.values()],
      onBlobFailed,
      onAsked,
      onAlive: (counters, rssBytes) => onAlive(worker, counters, rssBytes),
    })
    this.#idle = worker
    return worker
  }

  /** The worker that waited has the place from now on. */
  take(): void {
    this.#worker = this.#idle
    this.#idle = undefined
  }

  /** What its worker is told to listen at: the sockets that it inherited. */
  listening(edge: EdgeOptions): EdgeOptions {
    const { dns, http } = edge
    const roles = [...this.#sockets.keys()]
    const fdOf = (role: SocketRole) => (roles.includes(role) ? FIRST_SOCKET_FD + roles.indexOf(role) : undefined)
    return {
      ...edge,
      dns: dns && { ...dns, fd: fdOf('dns') },
      http: http && { ...http, fd: fdOf('http'), https: http.https && { ...http.https, fd: fdOf('https') } },
    }
  }

  /** Holds the sockets no longer: they end with the worker that has them, and the next one gets others. */
  release(): void {
    for (const socket of this.#sockets.values()) socket[Symbol.dispose]()
    this.#sockets = new Map()
  }
}

/** All or none. */
function bindAll({ dns, http }: EdgeOptions): ReadonlyMap<SocketRole, WorkerSocket> {
  const bound = new Map<SocketRole, WorkerSocket>()
  try {
    if (http !== undefined) bound.set('http', new WorkerSocket(http))
    if (http?.https !== undefined) bound.set('https', new WorkerSocket(http.https))
    // A port that is still to be chosen must be free for UDP too, which the first worker finds out.
    if (dns !== undefined && dns.port !== 0) bound.set('dns', new WorkerSocket(dns))
    return bound
  } catch (error) {
    for (const socket of bound.values()) socket[Symbol.dispose]()
    throw error
  }
}
