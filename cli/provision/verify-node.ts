import { isIPv6 } from 'node:net'
import type { MemberKey, Runtime } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'
import { askOverTcp, type ProbeReport, probeDns, probeHttp } from '../health/index.ts'
import { SERVER_PORTS } from '../setup/index.ts'
import type { NodeAddresses } from './survey/addresses.ts'

/** What was asked at one address, and how it answered. */
export interface Answer {
  readonly address: string
  /** `UDP 53`. */
  readonly port: string
  readonly outcome: ProbeReport['kind']
  readonly reason: string | null
}

const TIMEOUT_MS = 5_000
const SOA = 6

/** Asks a node as visitors do, from this computer: DNS over UDP and TCP, and HTTP, at each of its addresses. Never rejects. */
export async function verifyNode(
  addresses: NodeAddresses,
  options: {
    readonly version: string
    readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
    readonly signal: AbortSignal
  },
): Promise<readonly Answer[]> {
  const { version, runtime, signal } = options
  const { dns, http } = SERVER_PORTS
  const answers = [addresses.ipv4, addresses.ipv6].flatMap((address) => {
    if (address === null) return []
    const to = { host: address, timeoutMs: TIMEOUT_MS, runtime, signal }
    return [
      answer(address, `UDP ${dns}`, probeDns({ ...to, port: dns, name: '' })),
      answer(address, `TCP ${dns}`, probeDnsOverTcp({ ...to, port: dns })),
      answer(address, `TCP ${http}`, probeHttp({ ...to, port: http, domain: undefined, version })),
    ]
  })
  return withoutOwnFaults(await Promise.all(answers))
}

async function answer(address: string, port: string, probe: Promise<ProbeReport>): Promise<Answer> {
  const report = await probe
  return { address, port, outcome: report.kind, reason: report.kind === 'up' ? null : report.reason }
}

async function probeDnsOverTcp(options: Parameters<typeof askOverTcp>[0]): Promise<ProbeReport> {
  const { answers, fault } = await askOverTcp(options, [{ name: '', type: SOA }])
  if (answers[0] !== undefined) return { kind: 'up', tookMs: 0 }
  return { kind: 'down', reason: fault ?? 'no answer' }
}

/** Where this computer has no IPv6 at all, nothing that it asks over it says anything. */
function withoutOwnFaults(answers: readonly Answer[]): readonly Answer[] {
  const deaf = new Set(answers.filter(({ outcome }) => outcome === 'unknown').map(({ address }) => address))
  return answers.map((one) =>
    deaf.has(one.address) && isIPv6(one.address) ? { ...one, outcome: 'unknown' as const } : one,
  )
}

/** What another node says of this one's addresses: what does not answer there. */
export function listSeenFaults(status: Pick<ClusterStatus, 'nodes'>, key: MemberKey): readonly string[] {
  const node = status.nodes.find((one) => one.key === key)
  return (node?.health ?? [])
    .filter(({ standing }) => standing === 'down')
    .map(
      ({ service, address, reason }) => `${service === 'dns' ? 'DNS' : 'HTTP'} at ${address}: ${reason ?? 'no answer'}`,
    )
}
