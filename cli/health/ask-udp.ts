import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { DnsQuestion } from './ask-dns.ts'
import { encodeQuestion, type ReceivedResponse, readAnswer } from './dns-message.ts'
import { codeOf, isLocalFault } from './local-fault.ts'
import { type ProbeOptions, settleOnce } from './probe-report.ts'

/** What one server said over UDP; exactly one of the two. */
export type UdpAnswer =
  | { readonly answer: ReceivedResponse; readonly fault?: undefined; readonly isLocal?: undefined }
  | {
      readonly answer?: undefined
      readonly fault: string
      /** The fault lies here: this computer has no way there. */
      readonly isLocal: boolean
    }

/** Asked again after these parts of the time-out: UDP loses, and one datagram proves nothing. */
const AGAIN_AT = [0.25, 0.6] as const

/**
 * Asks one question over UDP. What is no answer to it is not looked at, for somebody else may have sent it: the address, the port,
 * the id and the question have to be right. An answer that was cut is given as it is. Never rejects.
 */
export async function askOverUdp(options: ProbeOptions, question: DnsQuestion): Promise<UdpAnswer> {
  const { host, port, timeoutMs, runtime } = options
  const id = Buffer.from(runtime.randomBytes(2)).readUInt16BE()
  const query = encodeQuestion(id, question.name, question.type, question.recursive)
  let found: ReceivedResponse | undefined
  const outcome = await settleOnce(
    options,
    () => `no answer within ${timeoutMs / 1000} s`,
    (settle) => {
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
      let isConnected = false
      let isClosed = false
      const fail = (error: Error): void => {
        void isLocalFault(error, host).then((isOurs) =>
          settle({ kind: isOurs ? 'unknown' : 'down', reason: describe(error) }),
        )
      }
      const ask = (): void => {
        if (isConnected) socket.send(query, (error) => error && fail(error))
      }
      const cancels = AGAIN_AT.map((part) => runtime.after(timeoutMs * part, ask))
      // A connected socket hears this one address alone, and hears of ports where nothing listens.
      socket.on('error', fail).once('connect', () => {
        isConnected = !isClosed
        ask()
      })
      socket.on('message', (bytes) => {
        const answer = readAnswer(bytes, query)
        if (answer === 'another') return
        if (answer === 'malformed') return settle({ kind: 'down', reason: 'its answer is no DNS message' })
        found = answer
        settle({ kind: 'up' })
      })
      try {
        socket.connect(port, host)
      } catch (error) {
        fail(error as Error)
      }
      return () => {
        for (const cancel of cancels) cancel()
        isClosed = true
        isConnected = false
        socket.close()
      }
    },
  )
  if (found !== undefined) return { answer: found }
  return outcome.kind === 'up'
    ? { fault: 'no answer', isLocal: false }
    : { fault: outcome.reason, isLocal: outcome.kind === 'unknown' }
}

function describe(error: Error): string {
  const code = codeOf(error)
  return code === 'ECONNREFUSED' ? 'nothing listens there' : code === '' ? error.message : code
}
