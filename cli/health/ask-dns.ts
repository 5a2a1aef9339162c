import { connect } from 'node:net'
import { encodeQuestion, type ReceivedResponse, readAnswer } from './dns-message.ts'
import { endWithSocket } from './probe-http.ts'
import { type ProbeOptions, type ProbeReport, settleOnce } from './probe-report.ts'

/** A name as zones have it (`\DDD` for octets that no host name has), and the number of a type. */
export interface DnsQuestion {
  readonly name: string
  readonly type: number
  /** Asks a resolver to find the answer elsewhere. */
  readonly recursive?: boolean
}

export interface DnsAnswers {
  /** In the order of the questions; undefined where none came. */
  readonly answers: readonly (ReceivedResponse | undefined)[]
  /** Why answers are missing; undefined when none is. */
  readonly fault: string | undefined
}

/** Questions under way at once: enough that a far server is asked quickly, few enough for every server. */
const WINDOW = 16
/** For all answers of one server, however many and however slow: who waits is a person. */
const MAX_TOTAL_MS = 60_000

/**
 * Asks all questions over one TCP connection (RFC 7766), so that nothing is cut and no rate is limited. `timeoutMs` is
 * for each answer, and begins anew with each that arrives; all of them get a minute at most. Never rejects.
 */
export async function askOverTcp(options: ProbeOptions, questions: readonly DnsQuestion[]): Promise<DnsAnswers> {
  const { host, port, timeoutMs, runtime } = options
  const answers: (ReceivedResponse | undefined)[] = questions.map(() => undefined)
  if (questions.length === 0) return { answers, fault: undefined }
  const first = Buffer.from(runtime.randomBytes(2)).readUInt16BE()
  const pending = new Map<number, { readonly at: number; readonly query: Uint8Array }>()
  let next = 0
  let answered = 0
  let buffer: Buffer = Buffer.alloc(0)
  const late = () => `no answer within ${timeoutMs / 1000} s`
  const totalMs = Math.min(timeoutMs * questions.length, MAX_TOTAL_MS)
  const slow = () => `${answered} of ${questions.length} answers within ${totalMs / 1000} s`
  const outcome: ProbeReport = await settleOnce({ ...options, timeoutMs: totalMs }, slow, (settle) => {
    const socket = connect({ host, port, noDelay: true })
    let cancel = (): void => {}
    const wait = (): void => {
      cancel()
      cancel = runtime.after(timeoutMs, () => settle({ kind: 'down', reason: late() }))
    }
    const ask = (): void => {
      const parts: Uint8Array[] = []
      for (; pending.size < WINDOW && next < questions.length; next++) {
        const { name, type, recursive } = questions[next] as DnsQuestion
        const id = (first + next) & 0xffff
        const query = encodeQuestion(id, name, type, recursive)
        pending.set(id, { at: next, query })
        parts.push(Uint8Array.of(query.length >> 8, query.length & 0xff), query)
      }
      if (parts.length > 0) socket.write(Buffer.concat(parts))
    }
    const read = (message: Uint8Array): boolean => {
      const id = message.length < 2 ? -1 : ((message[0] ?? 0) << 8) | (message[1] ?? 0)
      const asked = pending.get(id)
      const answer = asked === undefined ? 'another' : readAnswer(message, asked.query)
      if (asked === undefined || typeof answer === 'string') return false
      pending.delete(id)
      answers[asked.at] = answer
      answered++
      return true
    }
    wait()
    socket.once('connect', ask)
    socket.on('data', (piece: Buffer) => {
      buffer = Buffer.concat([buffer, piece])
      while (buffer.length >= 2) {
        const end = 2 + buffer.readUInt16BE()
        if (buffer.length < end) break
        if (!read(buffer.subarray(2, end)))
          return settle({ kind: 'down', reason: 'its answer is none to the question' })
        buffer = buffer.subarray(end)
        wait()
      }
      if (answered === questions.length) settle({ kind: 'up' })
      else ask()
    })
    endWithSocket(socket, host, settle)
    return () => {
      cancel()
      socket.destroy()
    }
  })
  return { answers, fault: outcome.kind === 'up' ? undefined : outcome.reason }
}
