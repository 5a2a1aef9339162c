import type { Socket } from 'node:net'
import type { Runtime } from '../../../core/index.ts'
import type { ConnectionBudget } from '../connection-budget.ts'
import { FIRST_LINGER_MS, type Http1, LINGER_MS } from '../http1.ts'
import type { RequestHandler } from '../request-handler.ts'
import { AnswerMemo, type MemoOptions } from './answer-memo.ts'
import { DateClock } from './date.ts'
import { FastConnection } from './fast-connection.ts'
import type { FastContext } from './fast-context.ts'
import { RequestHead } from './request-head.ts'
import { findSendFile } from './send-file.ts'

export interface FastPathOptions {
  readonly handler: RequestHandler
  readonly http: Http1
  readonly budget: ConnectionBudget
  readonly runtime: Runtime
  /** The connections are TLS. */
  readonly secure: boolean
  /** Prepared answers in memory; 32 MiB unless it says otherwise. */
  readonly memoBytes?: number | undefined
}

const MEMO_BYTES = 32 * 1024 * 1024

/**
 * HTTP/1.1 for those who ask as browsers do: heads walked byte by byte on raw sockets, answers that were given before
 * written from memory in one piece. What it decides is decided by the same request handler, and what it sends is
 * what was sent the first time; whatever else comes goes to node:http.
 */
export class FastPath implements Disposable {
  readonly #context: FastContext
  #cancel = () => {}
  #cancelLinger = () => {}

  private constructor(options: FastPathOptions, sendsFiles: boolean) {
    const { handler, http, budget, runtime, secure } = options
    const date = new DateClock(runtime)
    const findSite: MemoOptions['findSite'] = (host, table) => handler.findSite(host, table)
    this.#context = {
      handler,
      http,
      budget,
      runtime,
      date,
      memo: new AnswerMemo({ maxBytes: options.memoBytes ?? MEMO_BYTES, findSite, date }),
      head: new RequestHead(),
      limits: http.limits,
      connections: new Set(),
      secure,
      sendsFiles,
      isClosing: false,
    }
    this.#check()
  }

  /** Looks first what this machine can do. */
  static async start(options: FastPathOptions): Promise<FastPath> {
    return new FastPath(options, !options.secure && (await findSendFile()))
  }

  /** Takes a connection that `Http1.admit` let in. `covers` is for TLS: see `SiteRequest`. */
  serve(socket: Socket, covers?: (host: string) => boolean): void {
    const { handler, http } = this.#context
    // What a proxy says of its clients differs from one request to the next.
    if (handler.isProxy(socket.remoteAddress)) http.serve(socket)
    else this.#context.connections.add(new FastConnection(this.#context, socket, covers))
  }

  /** Closes each connection with its next answer, and what still rests after a while. */
  close(): void {
    const { connections, runtime } = this.#context
    this.#context.isClosing = true
    const cancels = [
      runtime.after(LINGER_MS, () => {
        for (const connection of connections) connection.closeIdle('resting')
      }),
      runtime.after(FIRST_LINGER_MS, () => {
        for (const connection of connections) connection.closeIdle('silent')
      }),
    ]
    this.#cancelLinger = () => {
      for (const cancel of cancels) cancel()
    }
  }

  /** Stops its timers; when no connection is left. */
  [Symbol.dispose](): void {
    this.#cancel()
    this.#cancelLinger()
    this.#context.date.stop()
    this.#context.memo.clear()
  }

  #check(): void {
    const { runtime, limits, connections } = this.#context
    this.#cancel = runtime.after(limits.checkEveryMs, () => {
      const nowMs = runtime.monotonic()
      for (const connection of connections) connection.check(nowMs)
      this.#check()
    })
  }
}
