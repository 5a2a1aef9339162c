import type { TLSSocket } from 'node:tls'
import type { Runtime } from '../../core/index.ts'
import { Http2Connection, type Http2Ports } from './http2-connection.ts'

export interface Http2Options extends Http2Ports {
  readonly runtime: Pick<Runtime, 'monotonic' | 'after'>
  /** How often connections are looked at. */
  readonly checkEveryMs?: number | undefined
}

const CHECK_EVERY_MS = 1000
const DRAIN_MS = 10_000

/** HTTP/2 on connections that somebody else accepted. */
export class Http2 {
  readonly #options: Http2Options
  readonly #open = new Set<Http2Connection>()
  #cancel: (() => void) | undefined
  #closing: Promise<void> | undefined
  #drained = () => {}

  constructor(options: Http2Options) {
    this.#options = options
  }

  /** Takes a connection that has chosen `h2`; `covers` tells for which hosts its certificate is. */
  serve(socket: TLSSocket, covers: (host: string) => boolean): void {
    const { budget, handler } = this.#options
    if (!budget.admit(socket)) return
    handler.counters.http2Connections++
    const connection = new Http2Connection(socket, covers, this.#options)
    this.#open.add(connection)
    socket.once('close', () => {
      this.#open.delete(connection)
      if (this.#closing !== undefined && this.#open.size === 0) this.#drained()
    })
    this.#watch()
  }

  /** Tells all clients that nothing new is taken (GOAWAY), lets answers under way finish for ten seconds, then cuts. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const cancel = this.#options.runtime.after(DRAIN_MS, () => {
        for (const connection of this.#open) connection.destroy()
      })
      this.#drained = () => {
        cancel()
        this.#cancel?.()
        resolve()
      }
      for (const connection of this.#open) connection.close()
      if (this.#open.size === 0) this.#drained()
    })
    return this.#closing
  }

  /** One timer for all, and none while there is nobody. */
  #watch(): void {
    this.#cancel ??= this.#options.runtime.after(this.#options.checkEveryMs ?? CHECK_EVERY_MS, () => {
      this.#cancel = undefined
      for (const connection of this.#open) connection.check()
      if (this.#open.size > 0) this.#watch()
    })
  }
}
