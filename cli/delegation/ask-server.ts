import { isIP } from 'node:net'
import { MakiError, type Runtime } from '../../core/index.ts'
import { askOverTcp, askOverUdp, type DnsQuestion, type ReceivedResponse } from '../health/index.ts'

/** Where a name server or a resolver listens. */
export interface ServerAddress {
  /** An IP address. */
  readonly host: string
  readonly port: number
}

export interface AskOptions {
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly signal?: AbortSignal | undefined
  /** For each answer. */
  readonly timeoutMs: number
  /** What TCP does not bring counts as not answered. */
  readonly onlyTcp?: boolean
}

export interface ServerAnswers {
  /** In the order of the questions. */
  readonly answers: readonly (ReceivedResponse | undefined)[]
  /** Why answers are missing; undefined when none is. */
  readonly fault: string | undefined
}

/** Name servers listen there, and nobody can say otherwise in DNS. */
export const DNS_PORT = 53

/** Servers that end a connection after each answer are connected to again, this often. */
const MAX_CONNECTIONS = 40
/** Over UDP at once: few enough for servers that limit rates. */
const AT_ONCE = 8
/** Of a server that knows no TCP; the rest counts as not answered. */
const MAX_OVER_UDP = 100

/**
 * Asks one server over TCP, so that nothing is cut and no stranger answers; what it does not answer there, over UDP. Never
 * rejects but where the signal is aborted.
 */
export async function askServer(
  server: ServerAddress,
  questions: readonly DnsQuestion[],
  options: AskOptions,
): Promise<ServerAnswers> {
  const to = { ...server, ...options }
  const answers: (ReceivedResponse | undefined)[] = questions.map(() => undefined)
  const listOpen = (): number[] => [...answers.keys()].filter((at) => answers[at] === undefined)
  let open = listOpen()
  let fault: string | undefined
  for (let i = 0; i < MAX_CONNECTIONS && open.length > 0; i++) {
    const asked = open
    const got = await askOverTcp(
      to,
      asked.map((at) => questions[at] as DnsQuestion),
    )
    options.signal?.throwIfAborted()
    for (const [i, answer] of got.answers.entries()) answers[asked[i] as number] = answer
    fault = got.fault
    open = listOpen()
    if (open.length === asked.length) break
  }
  const waiting = options.onlyTcp === true ? [] : open.slice(0, MAX_OVER_UDP)
  let isSilent = false
  const work = async (): Promise<void> => {
    for (let at = waiting.shift(); at !== undefined && !isSilent; at = waiting.shift()) {
      const { answer } = await askOverUdp(to, questions[at] as DnsQuestion)
      if (answer === undefined) isSilent = true
      else if (!answer.truncated) answers[at] = answer
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work))
  options.signal?.throwIfAborted()
  return { answers, fault: listOpen().length === 0 ? undefined : (fault ?? 'not all was answered') }
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`. Throws MAKI_USAGE. */
export function parseServerAddress(text: string): ServerAddress {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = isIP(text) === 6 ? text : (bracketed ?? plain ?? '')
  const port = portText === undefined || isIP(text) === 6 ? DNS_PORT : Number(portText)
  if (isIP(host) === 0 || (bracketed !== undefined && isIP(host) !== 6) || port < 1 || port > 65_535) {
    throw new MakiError('MAKI_USAGE', `${text} is not the address of a resolver`, {
      hint: 'An IP address, with a port where it is not 53: 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:5353',
    })
  }
  return { host, port }
}
