import { asMakiError, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { RateLimit } from './rate-limit.ts'
import { type AnswersMessages, type DnsCounters, Responder } from './responder.ts'
import { listenTcp, TCP_LIMITS, type TcpLimits } from './tcp.ts'
import { type Listener, type ListenOptions, listenUdp } from './udp.ts'

/** Where to listen and what to answer from. */
export interface DnsServerOptions {
  /** Asked for every message. */
  readonly service: AnswersMessages
  /** An address of this machine; `::` becomes `0.0.0.0` where there is no IPv6. */
  readonly host: string
  /** 0 chooses one that is free for both UDP and TCP. */
  readonly port: number
  /** A socket for TCP that is bound to host and port already, to be listened on instead of one of its own. */
  readonly fd?: number | undefined
  readonly log: Log
  /** Several processes on one port, among which the kernel spreads the questions. */
  readonly reusePort?: boolean
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly limits?: Partial<TcpLimits>
  /** Equal answers a second to one network over UDP (`RateLimit`); 0 or undefined for no limit. */
  readonly rateLimit?: number
}

/** A running server; it owns its sockets and connections. */
export interface DnsServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number }
  /** A copy of the counts now. */
  readonly counters: DnsCounters
  /** Resolves when both sockets are closed and the questions that were on their way are answered. Idempotent. */
  close(): Promise<void>
}

/** How often a port that UDP got and TCP did not is given back for another one. */
const PORT_ATTEMPTS = 50
const RATE_LIMIT_KEY_OCTETS = 16

/**
 * Answers DNS over UDP and TCP (RFC 7766) on one port. Throws MAKI_PORT_IN_USE, which names port and protocol, or
 * MAKI_CONFIG when the address cannot be bound for another reason; nothing stays open then.
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { service, log, runtime, rateLimit = 0 } = options
  const limit = rateLimit === 0 ? undefined : new RateLimit(rateLimit, runtime.randomBytes(RATE_LIMIT_KEY_OCTETS))
  const responder = new Responder(service, { log, limit, runtime })
  const { host, listeners } = await listenAnyFamily(options, responder)
  let closing: Promise<void> | undefined
  const close = async () => {
    closing ??= Promise.all(listeners.map((listener) => listener.close())).then(() => {})
    await closing
  }
  return {
    address: { host, port: listeners[0].port },
    get counters() {
      return responder.counters
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Pair = readonly [Listener, Listener]

async function listenAnyFamily(
  options: DnsServerOptions,
  responder: Responder,
): Promise<{ host: string; listeners: Pair }> {
  const { host } = options
  try {
    return { host, listeners: await listenBoth(options, host, responder) }
  } catch (error) {
    if (host !== '::' || !['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(codeOf(asMakiError(error).cause))) throw error
    return { host: '0.0.0.0', listeners: await listenBoth(options, '0.0.0.0', responder) }
  }
}

async function listenBoth(options: DnsServerOptions, host: string, responder: Responder): Promise<Pair> {
  const { port, fd, log, runtime, reusePort = false } = options
  const limits = { ...TCP_LIMITS, ...options.limits }
  const common = { host, reusePort, responder, log } satisfies Omit<ListenOptions, 'port'>
  for (let attempt = 1; ; attempt++) {
    const udp = await listenUdp({ ...common, port }).catch((cause: unknown) => {
      throw bindError(cause, 'UDP', host, port)
    })
    try {
      return [udp, await listenTcp({ ...common, port: udp.port, fd, runtime, limits })]
    } catch (cause) {
      await udp.close()
      const isTaken = codeOf(cause) === 'EADDRINUSE'
      if (port === 0 && isTaken && attempt < PORT_ATTEMPTS) continue
      throw bindError(cause, 'TCP', host, udp.port)
    }
  }
}

function bindError(cause: unknown, protocol: 'UDP' | 'TCP', host: string, port: number): MakiError {
  const where = `${protocol} port ${port} on ${host}`
  const letters = protocol === 'UDP' ? 'u' : 't'
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new MakiError('MAKI_PORT_IN_USE', `${where} is in use by another program`, {
        cause,
        hint: `See which one with: ss -l${letters}np 'sport = :${port}'. Stop it, or choose another port.`,
      })
    case 'EACCES':
      return new MakiError('MAKI_CONFIG', `${where} may not be opened by this user`, {
        cause,
        hint: 'Run as root or with CAP_NET_BIND_SERVICE, or choose a port from 1024.',
      })
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new MakiError('MAKI_CONFIG', `${where} cannot be opened: this machine has no such address`, {
        cause,
        hint: 'See the addresses with: ip address. Use one of them, or 0.0.0.0 for all.',
      })
    default:
      return asMakiError(cause)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
