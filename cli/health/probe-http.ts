import { connect, isIPv6, type Socket } from 'node:net'
import { codeOf, isLocalFault } from './local-fault.ts'
import { type ProbeOptions, type ProbeReport, type Settle, settleOnce } from './probe-report.ts'

export interface HttpProbeOptions extends ProbeOptions {
  /** A domain of ours; the address itself where there is none. */
  readonly domain: string | undefined
  /** Of this program: logs tell probes by it. */
  readonly version: string
}

/** No site has it, so that no page is read and no function runs. */
export const PROBE_PATH = '/.well-known/makiatto-health'
/** More is not read: the status stands in the first line, and heads are small. */
const MAX_HEAD_BYTES = 16 * 1024
const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/

/**
 * GET with a domain of ours as Host, over a connection of its own. Up: a whole head with a status below 500, and 503. A
 * site without pages answers 404 and is well; a redirect is not followed; 503 is how a node says that it has too much
 * to do, and taking it away would give the rest to the others until none is left. Reads the head only.
 */
export function probeHttp(options: HttpProbeOptions): Promise<ProbeReport> {
  const { host, port } = options
  let received = ''
  const late = () => lateReason(options.timeoutMs, isConnected, received)
  let isConnected = false
  return settleOnce(options, late, (settle) => {
    const socket = connect({ host, port, noDelay: true })
    socket.once('connect', () => {
      isConnected = true
      socket.write(formatRequest(options))
    })
    socket.setEncoding('latin1').on('data', (piece: string) => {
      received += piece
      readHead(received, settle)
    })
    endWithSocket(socket, host, settle)
    return () => socket.destroy()
  })
}

/** Errors and early ends of a probe's connection as its outcome. */
export function endWithSocket(socket: Socket, host: string, settle: Settle): void {
  socket.on('error', (error) => {
    void isLocalFault(error, host).then((isOurs) =>
      settle({ kind: isOurs ? 'unknown' : 'down', reason: describeConnection(error) }),
    )
  })
  socket.on('end', () => settle({ kind: 'down', reason: 'it closed the connection before it had answered' }))
}

function formatRequest({ host, domain, version }: HttpProbeOptions): string {
  const authority = domain ?? (isIPv6(host) ? `[${host}]` : host)
  const head = [`GET ${PROBE_PATH} HTTP/1.1`, `Host: ${authority}`, `User-Agent: makiatto-health/${version}`]
  return `${head.join('\r\n')}\r\nAccept: */*\r\nConnection: close\r\n\r\n`
}

function readHead(received: string, settle: Settle): void {
  const line = received.slice(0, MAX_HEAD_BYTES).split('\r\n', 1)[0] ?? ''
  // What can no more become a status line needs no more waiting.
  if (!'HTTP/1.'.startsWith(received.slice(0, 7)) && !received.startsWith('HTTP/1.')) {
    settle({ kind: 'down', reason: 'its answer is no HTTP' })
  } else if (received.includes('\r\n') && !STATUS_LINE.test(line)) {
    settle({ kind: 'down', reason: 'its answer is no HTTP' })
  } else if (received.includes('\r\n\r\n')) {
    const status = Number(STATUS_LINE.exec(line)?.[1])
    // 1xx is no answer, and nobody asked for one (RFC 9110 section 15.2).
    if (status < 200) settle({ kind: 'down', reason: `it answers ${status}` })
    else settle(status < 500 || status === 503 ? { kind: 'up' } : { kind: 'down', reason: `it answers ${status}` })
  } else if (received.length > MAX_HEAD_BYTES) {
    settle({ kind: 'down', reason: `the head of its answer has more than ${MAX_HEAD_BYTES} bytes` })
  }
}

function lateReason(timeoutMs: number, isConnected: boolean, received: string): string {
  const seconds = `${timeoutMs / 1000} s`
  if (!isConnected) return `no connection within ${seconds}`
  return received === '' ? `no answer within ${seconds}` : `no whole answer within ${seconds}`
}

function describeConnection(error: Error): string {
  const code = codeOf(error)
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there'
    case 'ECONNRESET':
    case 'EPIPE':
      return 'it cut the connection'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no way leads there'
    case 'ETIMEDOUT':
      return 'no connection'
    case '':
      return error.message
    default:
      return code
  }
}
