import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { RCODES, TYPE_CODES } from '../../dns/index.ts'
import { encodeQuestion, readAnswer } from './dns-message.ts'
import { codeOf, isLocalFault } from './local-fault.ts'
import { type ProbeOptions, type ProbeReport, settleOnce } from './probe-report.ts'

export interface DnsProbeOptions extends ProbeOptions {
  /** An apex of ours; the root where there is none. */
  readonly name: string
}

/** Asked again this long after the first time, as a part of the time-out: UDP loses, and one datagram proves nothing. */
const SECOND_ASK = 0.4

/**
 * Asks for a SOA over UDP. Up: any well-formed response to our question that is not SERVFAIL, for a server that answers
 * REFUSED is alive and only lacks the zone, which `behind` tells. What is no answer to our question is not looked at:
 * somebody else may have sent it.
 */
export function probeDns(options: DnsProbeOptions): Promise<ProbeReport> {
  const { host, port, name, timeoutMs, runtime } = options
  const query = encodeQuestion(Buffer.from(runtime.randomBytes(2)).readUInt16BE(), name, TYPE_CODES.SOA)
  let strange = 0
  const late = () =>
    strange === 0 ? `no answer within ${timeoutMs / 1000} s` : `${strange} messages that answer nothing, and no answer`
  return settleOnce(options, late, (settle) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const fail = (error: Error): void => {
      void isLocalFault(error, host).then((isOurs) =>
        settle({ kind: isOurs ? 'unknown' : 'down', reason: describe(error) }),
      )
    }
    const ask = (): void => socket.send(query, (error) => error && fail(error))
    const cancel = runtime.after(timeoutMs * SECOND_ASK, () => isConnected && ask())
    let isConnected = false
    let isClosed = false
    // A connected socket hears this one address alone, and hears of ports where nothing listens.
    socket.on('error', fail).once('connect', () => {
      isConnected = !isClosed
      if (isConnected) ask()
    })
    socket.on('message', (bytes) => {
      const answer = readAnswer(bytes, query)
      if (answer === 'another') strange++
      else if (answer === 'malformed') settle({ kind: 'down', reason: 'its answer is no DNS message' })
      else if (answer.rcode === RCODES.SERVFAIL) settle({ kind: 'down', reason: 'it answers SERVFAIL' })
      else settle({ kind: 'up' })
    })
    try {
      socket.connect(port, host)
    } catch (error) {
      fail(error as Error)
    }
    return () => {
      cancel()
      isClosed = true
      isConnected = false
      // Its listeners stay: one that is still connecting needs its own to close.
      socket.close()
    }
  })
}

function describe(error: Error): string {
  const code = codeOf(error)
  return code === 'ECONNREFUSED' ? 'nothing listens there' : code === '' ? error.message : code
}
