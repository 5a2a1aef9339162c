import type { ProbeTarget, Runtime } from '../../core/index.ts'
import { refuseAddress } from './probe-address.ts'
import { probeDns } from './probe-dns.ts'
import { probeHttp } from './probe-http.ts'
import type { ProbeReport } from './probe-report.ts'
import { probeTls } from './probe-tls.ts'
import type { ServicePorts } from './service-ports.ts'

export interface ServiceProbeOptions {
  /** Whether loopback addresses may be asked: the cluster is on this computer (`isLocalCluster`). */
  readonly isLocal: boolean
  /** Undefined: it is not known where the node listens. */
  readonly ports: ServicePorts | undefined
  /** A domain of ours to ask for; undefined while there is none. */
  readonly apex: string | undefined
  readonly version: string
  readonly dnsTimeoutMs: number
  readonly httpTimeoutMs: number
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly signal?: AbortSignal | undefined
}

/** Probes one service at one address. HTTP and HTTPS are one service: when one of them fails, a visitor is lost. */
export async function probeService(
  target: Pick<ProbeTarget, 'service' | 'address'>,
  options: ServiceProbeOptions,
): Promise<ProbeReport> {
  const refusal = refuseAddress(target.address, options.isLocal)
  if (refusal !== undefined) return { kind: 'down', reason: refusal }
  const { ports, apex, version, dnsTimeoutMs, httpTimeoutMs, runtime, signal } = options
  if (ports === undefined) return { kind: 'unknown', reason: 'it has not said on which ports it serves' }
  const to = { host: target.address, runtime, signal }
  if (target.service === 'dns') {
    if (ports.dns === undefined) return { kind: 'down', reason: 'DNS: it does not run' }
    return name('DNS', await probeDns({ ...to, port: ports.dns, timeoutMs: dnsTimeoutMs, name: apex ?? '' }))
  }
  if (ports.http === undefined) return { kind: 'down', reason: 'HTTP: it does not run' }
  const web = { ...to, timeoutMs: httpTimeoutMs, domain: apex }
  const [plain, secure] = await Promise.all([
    probeHttp({ ...web, port: ports.http, version }),
    ports.https === undefined ? undefined : probeTls({ ...web, port: ports.https }),
  ])
  return worse(name('HTTP', plain), secure === undefined ? undefined : name('HTTPS', secure))
}

function worse(a: ProbeReport, b: ProbeReport | undefined): ProbeReport {
  if (b === undefined) return a
  return [a, b].find(({ kind }) => kind === 'down') ?? [a, b].find(({ kind }) => kind === 'unknown') ?? a
}

const name = (protocol: string, outcome: ProbeReport): ProbeReport =>
  outcome.kind === 'up' ? outcome : { ...outcome, reason: `${protocol}: ${outcome.reason}` }
