import type { Log, Runtime } from '../../core/index.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { coversOf } from './connection-cover.ts'
import { FastPath } from './fast/index.ts'
import { Http1 } from './http1.ts'
import { Http2 } from './http2.ts'
import type { RequestHandler } from './request-handler.ts'
import { type TlsListenOptions, TlsServer } from './tls-server.ts'

export interface HttpsOptions extends TlsListenOptions {
  readonly handler: RequestHandler
  readonly budget: ConnectionBudget
  readonly runtime: Runtime
  readonly log: Log
  readonly reusePort: boolean
  /** False: node:http and node:http2 speak. The answers are the same. */
  readonly fast?: boolean | undefined
}

/** A listener for HTTPS that runs. */
export interface Https {
  readonly address: { readonly host: string; readonly port: number }
  /** See `TlsServer.setTicketKeys`. */
  setTicketKeys(keys: Uint8Array): void
  /** As that of the plain server. */
  close(): Promise<void>
}

/** Serves HTTP/2 and HTTP/1.1 over TLS, with the handler and the budget of the plain server. Rejects as it does. */
export async function startHttps(options: HttpsOptions): Promise<Https> {
  const { handler, budget, runtime } = options
  const http1 = new Http1({ handler, budget, runtime, secure: true })
  const http2 = new Http2({ handler, budget, runtime, fast: options.fast })
  const fast =
    options.fast === false ? undefined : await FastPath.start({ handler, budget, runtime, http: http1, secure: true })
  const closeHttp = async () => {
    fast?.close()
    await Promise.all([http1.close(), http2.close()])
    fast?.[Symbol.dispose]()
  }
  try {
    const tls = await TlsServer.start({
      ...options,
      counters: handler.counters,
      http1: (socket) => {
        if (fast === undefined) http1.serve(socket)
        else if (http1.admit(socket)) fast.serve(socket, coversOf(socket))
      },
      http2: (socket, covers) => http2.serve(socket, covers),
    })
    const close = async () => {
      await tls.close()
      await closeHttp()
    }
    return { address: tls.address, setTicketKeys: (keys) => tls.setTicketKeys(keys), close }
  } catch (error) {
    await closeHttp()
    throw error
  }
}
