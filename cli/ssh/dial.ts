import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { MakiError, type Runtime } from '../../core/index.ts'
import { hasErrno } from '../client/identity.ts'
import type { SshTarget } from './ssh-host.ts'
import type { Patience } from './ssh-options.ts'

/** How a server is dialled. */
export interface DialOptions {
  readonly target: SshTarget
  /** For messages. */
  readonly name: string
  readonly runtime: Pick<Runtime, 'after'>
  readonly signal: AbortSignal
  readonly patience: Pick<Patience, 'connectMs' | 'headStartMs'>
  /** Addresses of a name; the system's way unless said otherwise. */
  readonly lookUp?: (name: string) => Promise<readonly string[]>
}

/** A connection, and the address that took it. */
export interface Dialled {
  readonly socket: Socket
  readonly address: string
}

/** Addresses of one name that are tried; more are not a server's. */
const MOST_ADDRESSES = 8

/**
 * Connects to a server. The addresses of a name are tried in turn, each with a head start before the next, and the first that
 * takes the connection wins (RFC 8305). Throws MAKI_UNREACHABLE with the reason of each.
 */
export async function dial(options: DialOptions): Promise<Dialled> {
  const { target, signal } = options
  signal.throwIfAborted()
  const addresses = await resolve(options)
  const { promise, resolve: win, reject } = Promise.withResolvers<Dialled>()
  const open = new Set<Socket>()
  const cancels: (() => void)[] = []
  const reasons: { address: string; error: Error }[] = []
  let next = 0
  const tryNext = (): void => {
    const address = addresses[next++]
    if (address === undefined) return
    const socket = connect({ host: address, port: target.port, noDelay: true })
    open.add(socket)
    const timeUp = options.runtime.after(options.patience.connectMs, () =>
      socket.destroy(Object.assign(new Error('time is up'), { code: 'ETIMEDOUT' })),
    )
    cancels.push(timeUp, options.runtime.after(options.patience.headStartMs, tryNext))
    socket.once('connect', () => {
      timeUp()
      open.delete(socket)
      win({ socket, address })
    })
    socket.on('error', (error) => {
      if (!open.delete(socket)) return
      timeUp()
      reasons.push({ address, error })
      if (reasons.length === addresses.length) reject(explainDialling(options, reasons))
      else tryNext()
    })
  }
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    tryNext()
    const won = await promise
    if (!signal.aborted) return won
    won.socket.destroy()
    throw signal.reason
  } finally {
    signal.removeEventListener('abort', onAbort)
    for (const cancel of cancels) cancel()
    for (const socket of open) socket.destroy()
    open.clear()
  }
}

async function resolve(options: DialOptions): Promise<string[]> {
  const { target, name, signal, runtime, patience, lookUp = lookUpBySystem } = options
  if (isIP(target.host) !== 0) return [target.host]
  const { promise: late, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const cancel = runtime.after(patience.connectMs, () => reject(new Error('no resolver answers')))
  try {
    const found = await Promise.race([lookUp(target.host), late])
    signal.throwIfAborted()
    return [...new Set(found)].slice(0, MOST_ADDRESSES)
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    const isNoName = hasErrno(cause, 'ENOTFOUND')
    const why = isNoName ? `there is no host ${target.host}` : `the address of ${target.host} cannot be looked up`
    throw new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached: ${why}`, {
      cause,
      hint: isNoName
        ? `Is ${JSON.stringify(target.host)} spelt right? An address does as well as a name.`
        : 'Does this computer reach a resolver? An address does as well as a name.',
    })
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

async function lookUpBySystem(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}

function explainDialling(
  { target, name, patience }: DialOptions,
  reasons: { address: string; error: Error }[],
): MakiError {
  const say = ({ address, error }: { address: string; error: Error }): string => {
    const place = `${isIP(address) === 6 ? `[${address}]` : address}:${target.port}`
    if (hasErrno(error, 'ECONNREFUSED')) return `nothing listens at ${place}`
    if (hasErrno(error, 'ETIMEDOUT')) return `${place} did not answer within ${patience.connectMs / 1000} s`
    if (hasErrno(error, 'ENETUNREACH') || hasErrno(error, 'EHOSTUNREACH') || hasErrno(error, 'EADDRNOTAVAIL'))
      return `there is no way to ${place} from here`
    return `${place}: ${error.message}`
  }
  const [first] = reasons
  const hint = hasErrno(first?.error, 'ECONNREFUSED')
    ? 'Does sshd run there, and on this port? (--port)'
    : 'Is the server on, is the address right, and does a firewall let SSH through?'
  return new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached over SSH: ${reasons.map(say).join('; ')}`, {
    cause: first?.error,
    hint,
  })
}
