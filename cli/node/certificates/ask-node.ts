import { request } from 'node:http'
import type { ChangeOf, NodeView, Runtime } from '../../../core/index.ts'
import { TYPE_CODES } from '../../../dns/index.ts'
import { askOverUdp, findPorts, refuseAddress, type ServicePorts } from '../../health/index.ts'

type Shown = Pick<ChangeOf<'challenge.set'>, 'host' | 'http' | 'dns'>

export interface AskNodeOptions {
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly signal: AbortSignal
  /** Of a cluster on one computer, whose nodes have loopback addresses. */
  readonly isLocal: boolean
}

const ANSWER_MS = 2_000
/** A token and a thumbprint are some hundred. */
const MAX_BYTES = 4_096

/**
 * Whether a node answers authorities as the challenges say, by its public addresses: over HTTP, and a name server over DNS. `unknown`
 * where it cannot be asked from here at all, which says nothing of what others reach.
 */
export async function askNode(
  { ipv4, ipv6, nameserver }: Pick<NodeView, 'ipv4' | 'ipv6' | 'nameserver'>,
  serves: ServicePorts | undefined,
  shown: readonly Shown[],
  options: AskNodeOptions,
): Promise<'shows' | 'lacks' | 'unknown'> {
  const addresses = [ipv4, ipv6].filter((one) => one !== null && refuseAddress(one, options.isLocal) === undefined)
  const asked = addresses.flatMap((address) => {
    const { http, dns } = findPorts(address as string, serves) ?? {}
    return shown.flatMap(({ host, http: tokens, dns: digests }) => [
      ...tokens.map(({ token, authorization }) =>
        http === undefined ? undefined : askHttp(address as string, http, host, token, authorization, options),
      ),
      ...digests.map((digest) =>
        dns === undefined || !nameserver ? undefined : askDns(address as string, dns, host, digest, options),
      ),
    ])
  })
  const answers = await Promise.all(asked)
  if (answers.includes('lacks')) return 'lacks'
  return answers.includes('shows') ? 'shows' : 'unknown'
}

/** RFC 8555 section 8.3. */
function askHttp(
  host: string,
  port: number,
  name: string,
  token: string,
  authorization: string,
  { signal, runtime }: AskNodeOptions,
): Promise<'shows' | 'lacks' | 'unknown'> {
  return new Promise((resolve) => {
    const path = `/.well-known/acme-challenge/${token}`
    const asked = request({ host, port, path, headers: { host: name }, agent: false, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > MAX_BYTES) asked.destroy()
      })
      response.on('end', () => settle(response.statusCode === 200 && text.trim() === authorization ? 'shows' : 'lacks'))
      response.on('error', () => settle('lacks'))
    })
    const cancel = runtime.after(ANSWER_MS, () => asked.destroy(new Error('it is late')))
    const settle = (answer: 'shows' | 'lacks' | 'unknown') => {
      cancel()
      resolve(answer)
    }
    asked.on('error', () => settle('unknown')).on('close', () => settle('unknown'))
    asked.end()
  })
}

/** RFC 8555 section 8.4. */
async function askDns(
  host: string,
  port: number,
  name: string,
  digest: string,
  { signal, runtime }: AskNodeOptions,
): Promise<'shows' | 'lacks' | 'unknown'> {
  const question = { name: `_acme-challenge.${name}`, type: TYPE_CODES.TXT }
  const { answer } = await askOverUdp({ host, port, timeoutMs: ANSWER_MS, runtime, signal }, question)
  if (answer === undefined || answer.truncated) return 'unknown'
  const isShown = answer.answers.some(({ type, data }) => type === TYPE_CODES.TXT && Buffer.from(data).includes(digest))
  return isShown ? 'shows' : 'lacks'
}
