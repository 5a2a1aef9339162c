import { findCluster, MakiError } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'
import { type CertificateRow, listCertificates } from '../certificates.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { listExposedPlaces } from '../client/sealing.ts'
import { type SpreadReport, spreadAll } from '../client/spread.ts'
import {
  checkNodes,
  type HealthFinding,
  listHealthFindings,
  type NodeCheckup,
  type SeenService,
} from '../health/index.ts'
import { formatShare } from '../output/health-view.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { count, plainLine } from '../output/text.ts'
import { MakiCommand } from '../program/base.ts'
import { readPackageInfo } from '../program/package-info.ts'

interface HealthResult {
  readonly cluster: { readonly id: string; readonly name: string }
  /** The node that was asked how it sees the others; null when none answered. */
  readonly answeredBy: string | null
  readonly healthy: boolean
  readonly nodes: readonly NodeCheckup[]
  readonly certificates: readonly CertificateRow[]
  readonly findings: readonly HealthFinding[]
}

export default class Health extends MakiCommand<HealthResult> {
  static override summary =
    'Check every node from here and by what the nodes see of each other, with records and certificates.'
  static override description =
    'Asks each public address of each node for DNS and HTTP, and each name server for every record. A machine that the others do not hear is brought what it lacks. Ends with 1 when something is wrong; with 3 when no node says how it sees the others.'
  static override examples = ['maki health', 'maki health --json', 'maki health --node berlin']

  override async run(): Promise<HealthResult> {
    const { flags } = await this.parse(Health)
    if (flags.offline) {
      throw new MakiError('MAKI_USAGE', '--offline asks nobody, and maki health asks every node', {
        hint: 'What the copy on this computer knows: maki status --offline',
      })
    }
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const reached = await client.reach()
    const { runtime, signal } = this.host
    const { state } = client
    const status = await reached?.control.status({ signal }).catch(() => reached.status)
    const nodes = status?.nodes ?? []
    const [checkup, brought] = await Promise.all([
      checkNodes({ state, nodes, version: readPackageInfo().version, runtime, signal }),
      status === undefined ? undefined : this.#bringToLost(client, status),
    ])
    const nowMs = runtime.now()
    const certificates = listCertificates(state, listExposedPlaces(client), nowMs)
    const answeredBy = status?.nodes.find(({ key }) => key === status.self)?.name ?? reached?.machine.name ?? null
    const findings = listHealthFindings({
      ...checkup,
      certificates,
      nowMs,
      conflicts: client.local.replica.conflicts().map(({ key }) => key),
      aliases: status?.aliases ?? [],
      placeFaults: status?.places?.faults ?? [],
      answeredBy,
      isReached: status !== undefined,
      brought: brought?.taken ?? [],
      unheard: brought?.missed ?? [],
    })
    const healthy = status !== undefined && !findings.some(({ level }) => level === 'wrong')
    this.exitCode = status === undefined ? 3 : healthy ? 0 : 1
    const cluster = { id: client.profile.cluster, name: findCluster(state)?.name ?? '' }
    return { cluster, answeredBy, healthy, nodes: checkup.nodes, certificates, findings }
  }

  /** Machines that the others do not hear, or that have something else, are brought here what they lack. */
  async #bringToLost(client: ClusterClient, { nodes, self }: ClusterStatus): Promise<SpreadReport> {
    const digest = nodes.find(({ key }) => key === self)?.digest
    const agreed = nodes.filter((node) => node.key === self || (node.up && node.digest === digest))
    const report = await spreadAll(client, { except: agreed.map(({ name }) => name) })
    const heads = client.local.replica.heads()
    const knows = (name: string): boolean => {
      const heard = nodes.find((node) => node.name === name)?.heads
      return heads.every(({ id }) => heard?.includes(id) === true)
    }
    return { ...report, missed: report.missed.filter(({ machine }) => !knows(machine)) }
  }

  protected format({ nodes, findings, certificates, answeredBy, healthy }: HealthResult, style: Style): string {
    if (nodes.length === 0) return 'No node is known.'
    const header = ['NODE', 'HEARD', 'WEB', 'DNS', 'OTHERS', 'RECORDS', 'MEMORY', 'DISK', 'LOAD']
    const lines = nodes.map((node) => formatNode(node, style))
    const parts = [formatTable(lines, header.map(style.bold), style.columns)]
    if (findings.length > 0) parts.push(findings.map((finding) => formatFinding(finding, style)).join('\n'))
    const also = certificates.length === 0 ? '' : `, and ${count(certificates.length, 'certificate')}`
    const checked = `${count(nodes.length, 'node')}${also}`
    const word = healthy ? style.good('healthy') : style.bad(answeredBy === null ? 'not known' : 'not healthy')
    const by =
      answeredBy === null
        ? 'no node says how it sees the others'
        : `as ${plainLine(answeredBy)} sees them, and from here`
    parts.push(`${word}: ${checked}; ${by}`)
    return parts.join('\n\n')
  }
}

function formatNode(node: NodeCheckup, style: Style): string[] {
  const { name, status, seen, records } = node
  // How it was when it was last heard says little.
  const host = status?.up === true ? (status.host ?? null) : null
  return [
    name,
    status === null ? '-' : status.up ? style.good('up') : style.bad('down'),
    formatSeen(seen, 'web', style),
    node.nameserver ? formatSeen(seen, 'dns', style) : '-',
    formatOthers(node, style),
    records === null ? '-' : `${records.right} of ${records.asked}`,
    host === null ? '-' : formatShare(host.memory),
    host === null ? '-' : formatShare(host.disk),
    host === null ? '-' : host.load.toFixed(1),
  ]
}

/** The worst of the addresses; the slowest where all answer. */
function formatSeen(seen: readonly SeenService[], service: SeenService['service'], style: Style): string {
  const all = seen.filter((one) => one.service === service)
  if (all.some(({ outcome }) => outcome === 'down')) return style.bad('down')
  const took = all.flatMap(({ tookMs }) => tookMs ?? [])
  return took.length === 0 ? '-' : `${Math.max(...took).toFixed(0)} ms`
}

function formatOthers({ status, drained }: NodeCheckup, style: Style): string {
  const standings = (status?.health ?? []).map(({ standing }) => standing)
  if (standings.includes('down')) return style.bad('down')
  if (status?.behind === true) return style.bad('behind')
  if (drained) return style.warn('drained')
  if (standings.includes('held')) return style.warn('held')
  if (standings.length === 0) return '-'
  // Nobody has seen it fail, nor answer: visitors are sent there, and no more is known.
  return (status?.health ?? []).every(({ basis }) => basis === 'nobody') ? style.warn('unknown') : style.good('up')
}

function formatFinding({ level, node, message, hint }: HealthFinding, style: Style): string {
  const word = level === 'wrong' ? style.bad('wrong') : style.warn('note')
  return `${word} ${node === null ? '' : `${node}: `}${plainLine(message)}\n  ${style.dim(plainLine(hint))}`
}
