import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { Runtime } from '../../core/index.ts'
import type { RequestHead } from './request-head.ts'

/** Of an address that is not the last. */
const TRY_MS = 2_500
/** Of the last, and of TLS. */
const CONNECT_MS = 10_000
/** A name may have many addresses. */
const MAX_TRIES = 4

/**
 * A connection to the first of these addresses that takes one, and to nothing else: nothing is looked up. Rejects with the last
 * error of Node's; ETIMEDOUT for who does not answer. `opened` is told of every socket, so that it can be ended.
 */
export async function connectTo(
  addresses: readonly string[],
  port: number,
  runtime: Pick<Runtime, 'after'>,
  opened: (socket: Socket) => void,
): Promise<Socket> {
  const tried = addresses.slice(0, MAX_TRIES)
  let last: unknown
  for (const [i, address] of tried.entries()) {
    const socket = connectTcp({ host: address, port, noDelay: true })
    opened(socket)
    try {
      await settled(socket, 'connect', i === tried.length - 1 ? CONNECT_MS : TRY_MS, runtime)
      return socket
    } catch (error) {
      last = error
    }
  }
  throw last
}

/** TLS over a connection: for the name that was asked for, or the address where none was, by the authorities that are believed. */
export async function secure(
  socket: Socket,
  host: RequestHead['host'],
  runtime: Pick<Runtime, 'after'>,
  opened: (socket: Socket) => void,
): Promise<Socket> {
  const named = host.kind === 'name' ? { servername: host.name } : { host: host.address }
  const secured = connectTls({
    ...named,
    socket,
    secureContext: authorities(),
    ALPNProtocols: ['http/1.1'],
    // As it is by default, unless the environment says otherwise.
    rejectUnauthorized: true,
  })
  opened(secured)
  await settled(secured, 'secureConnect', CONNECT_MS, runtime)
  return secured
}

let context: SecureContext | undefined

/** Those of Node and those of the system; read when the first guest needs them. */
function authorities(): SecureContext {
  context ??= createSecureContext({
    ca: [...new Set([...getCACertificates('default'), ...getCACertificates('system')])],
  })
  return context
}

async function settled(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  mostMs: number,
  runtime: Pick<Runtime, 'after'>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const late = () => socket.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
  const cancel = runtime.after(mostMs, late)
  const fail = (error: Error) => reject(error)
  const end = () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
  socket.on(event, resolve)
  // It stays: an error that comes later is seen by whoever uses the socket, and must not be nobody's in between.
  socket.on('error', fail)
  socket.on('close', end)
  try {
    await promise
  } finally {
    cancel()
  }
}
