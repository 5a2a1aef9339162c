import { chmod } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { H3, type H3Event, type HTTPError, HTTPResponse } from 'h3'
import { toNodeHandler } from 'h3/node'
import { asMakiError, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { listen } from '../transport/index.ts'
import { EventStreams } from './control-events.ts'
import type { ControlServer, ControlServerOptions } from './control-options.ts'
import { addRoutes, nodeRequest } from './control-routes.ts'
import { claimSocketPath } from './control-socket.ts'

/** Owner and group: who may open the socket may do everything that the API can. */
const SOCKET_MODE = 0o660
const MAX_CONNECTIONS = 256
/** Nothing moves in either direction; event streams have their heartbeat. */
const IDLE_MS = 120_000
const HEAD_TIMEOUT_MS = 15_000
const DRAIN_MS = 5_000
/** How long the rest of a refused body is read before it is cut off. */
const LINGER_MS = 5_000

/** See `startControlServer`. */
export async function serveControl(options: ControlServerOptions): Promise<ControlServer> {
  const { backend, socketPath, log, runtime } = options
  const events = new EventStreams({ backend, log, runtime })
  const app = new H3({ silent: true, onError: (error, event) => answerError(error, event, { log, runtime }) })
  addRoutes(app, backend, events)
  const handle = toNodeHandler(app)
  const server = createServer({
    headersTimeout: HEAD_TIMEOUT_MS,
    // An upload may take as long as it moves.
    requestTimeout: 0,
    requireHostHeader: false,
  })
  server.timeout = IDLE_MS
  server.maxConnections = MAX_CONNECTIONS
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    // A client that leaves is no event of the process; the handler learns it from its stream.
    request.on('error', () => {})
    response.on('error', () => {})
    void handle(request, response)
  })
  await claimSocketPath(socketPath)
  await listen(server, { path: socketPath }, socketPath)
  server.on('error', (error) => log.error('control.server-failed', { message: error.message }))
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeServer(server, events, runtime)
    return closing
  }
  try {
    await chmod(socketPath, SOCKET_MODE)
  } catch (error) {
    await close()
    throw error
  }
  log.info('control.listening', { socketPath })
  return { socketPath, close, [Symbol.asyncDispose]: close }
}

function closeServer(server: Server, events: EventStreams, runtime: Pick<Runtime, 'after'>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = runtime.after(DRAIN_MS, () => server.closeAllConnections())
    server.on('request', (_request, response: ServerResponse) => response.setHeader('connection', 'close'))
    server.close(() => {
      cancel()
      resolve()
    })
    events.close()
    server.closeIdleConnections()
  })
}

async function answerError(
  thrown: HTTPError,
  event: H3Event,
  { log, runtime }: { log: Log; runtime: Pick<Runtime, 'after'> },
): Promise<HTTPResponse> {
  const { error, status } = readFault(thrown, event)
  if (error.code === 'MAKI_INTERNAL') log.error('control.failed', { message: error.message })
  const request = nodeRequest(event)
  await drain(request, runtime)
  const headers = { 'content-type': 'application/json', ...(request.complete ? {} : { connection: 'close' }) }
  return new HTTPResponse(JSON.stringify(error), { status, headers })
}

function readFault(thrown: HTTPError, event: H3Event): { error: MakiError; status: number } {
  const cause = thrown.cause
  if (cause instanceof MakiError) return { error: cause, status: cause.httpStatus }
  if (thrown.unhandled === true) {
    const request = nodeRequest(event)
    const left = request.errored !== null || (request.destroyed && !request.complete)
    const error = left
      ? new MakiError('MAKI_PROTOCOL', 'the client left in the middle of its request', { cause })
      : asMakiError(cause)
    return { error, status: error.httpStatus }
  }
  if (thrown.status === 404) {
    return { error: new MakiError('MAKI_NOT_FOUND', 'the control API has no such method and path'), status: 404 }
  }
  return { error: new MakiError('MAKI_PROTOCOL', thrown.message), status: thrown.status }
}

/**
 * Reads and drops the rest of a refused body, for a while: a connection that is closed while the client still sends is
 * reset, and the answer lost with it.
 */
async function drain(request: IncomingMessage, runtime: Pick<Runtime, 'after'>): Promise<void> {
  if (request.readableEnded || request.destroyed) return
  await new Promise<void>((resolve) => {
    const cancel = runtime.after(LINGER_MS, resolve)
    const done = () => {
      cancel()
      resolve()
    }
    request.once('end', done).once('close', done).resume()
  })
}
