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

/** One of a pool's places: its sockets, which stay while workers come and go, and the worker that has it. */
export class WorkerPlace {
  readonly #options: PlaceOptions
  #sockets: readonly WorkerSocket[] = []
  #idle: WorkerHandle | undefined
  #worker: WorkerHandle | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
  }

  /** A worker that was started and told nothing yet. */
  get idle(): WorkerHandle | undefined {
    return this.#idle
  }

  /** Where the sockets are bound, in the order in which a worker has them; empty while there are none. */
  get addresses(): readonly ListenAddress[] {
    return this.#sockets.map(({ address }) => address)
  }

  holds(worker: WorkerHandle): boolean {
    return this.#worker === worker
  }

  /** The worker that waits here, or a new one. Throws MAKI_PORT_IN_USE or MAKI_CONFIG. */
  occupy(edge: EdgeOptions): WorkerHandle {
    // One that died before it was needed is as if it had never been.
    if (this.#idle?.hasEnded === false) return this.#idle
    if (this.#sockets.length === 0) this.#sockets = bindAll(edge)
    const { register, onBlobFailed, onAsked, onAlive } = this.#options
    const worker: WorkerHandle = new WorkerHandle({
      edge,
      register,
      sockets: this.#sockets,
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
    const { http } = edge
    if (http === undefined) return edge
    const https = http.https && { ...http.https, fd: FIRST_SOCKET_FD + 1 }
    return { ...edge, http: { ...http, fd: FIRST_SOCKET_FD, https } }
  }

  /** Holds the sockets no longer: they end with the worker that has them, and the next one gets others. */
  release(): void {
    for (const socket of this.#sockets) socket[Symbol.dispose]()
    this.#sockets = []
  }
}

/** All or none. */
function bindAll({ http }: EdgeOptions): readonly WorkerSocket[] {
  if (http === undefined) return []
  const plain = new WorkerSocket(http)
  if (http.https === undefined) return [plain]
  try {
    return [plain, new WorkerSocket(http.https)]
  } catch (error) {
    plain[Symbol.dispose]()
    throw error
  }
}
