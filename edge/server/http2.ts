import type { TLSSocket } from 'node:tls'
import type { Runtime } from '../../core/index.ts'
import { AnswerMemo, DateClock, type MemoOptions } from './fast/index.ts'
import { BufferPool, type Http2Context, ServedConnection } from './http2/index.ts'
import { Http2Connection, type Http2Ports } from './http2-connection.ts'

export interface Http2Options extends Http2Ports {
  readonly runtime: Runtime
  /** False: node:http2 speaks it. The answers are the same. */
  readonly fast?: boolean | undefined
  /** How often connections are looked at. */
  readonly checkEveryMs?: number | undefined
}

const CHECK_EVERY_MS = 1000
const DRAIN_MS = 10_000
/** Prepared answers in memory, beside those of HTTP/1.1. */
const MEMO_BYTES = 32 * 1024 * 1024

/** A connection, as whoever looks after all of them sees it. */
type Held = Pick<ServedConnection, 'check' | 'close' | 'destroy'>

/** HTTP/2 on connections that somebody else accepted. */
export class Http2 {
  readonly #options: Http2Options
  /** Undefined where node:http2 speaks. */
  readonly #context: Http2Context | undefined
  readonly #open = new Set<Held>()
  #cancel: (() => void) | undefined
  #closing: Promise<void> | undefined
  #drained = () => {}

  constructor(options: Http2Options) {
    this.#options = options
    if (options.fast === false) return
    const { handler, budget, runtime } = options
    const date = new DateClock(runtime)
    const findSite: MemoOptions['findSite'] = (host, table) => handler.findSite(host, table)
    this.#context = {
      handler,
      budget,
      runtime,
      date,
      memo: new AnswerMemo({ maxBytes: MEMO_BYTES, findSite, date }),
      pool: new BufferPool(),
    }
  }

  /** Takes a connection that has chosen `h2`; `covers` tells for which hosts its certificate is. */
  serve(socket: TLSSocket, covers: (host: string) => boolean): void {
    const { budget, handler } = this.#options
    if (!budget.admit(socket)) return
    handler.counters.http2Connections++
    const connection =
      this.#context === undefined
        ? new Http2Connection(socket, covers, this.#options)
        : new ServedConnection(socket, covers, this.#context)
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
        this.#context?.date.stop()
        this.#context?.memo.clear()
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
