import { type Hostname, listDomains, type State } from '../../core/index.ts'
import { TYPE_CODES } from '../../dns/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import type { DnsQuestion } from '../health/index.ts'
import { askParent, locate, nameZone, type ParentReport } from './ask-parent.ts'
import { askServer, DNS_PORT, type ServerAddress } from './ask-server.ts'
import { askNodes, judgeNodes, type NodeAnswer } from './check-nodes.ts'
import { compareRecords, type RecordsComparison } from './compare-records.ts'
import { type DelegationFinding, note, wrong } from './finding.ts'
import { findOwnParent, judgeParent, type SwitchState } from './judge-parent.ts'
import { isWithin, type OwnServer, type OwnZone, readOwnZone } from './own-servers.ts'
import { listTargets, type ReceivedSets, readSets } from './received-sets.ts'
import type { ResolveOptions } from './resolve.ts'
import { hostQuestions, listQuestions } from './usual-names.ts'

export interface CheckOptions extends ResolveOptions {
  readonly state: State
  /** What nodes say of themselves; empty where none was reached. */
  readonly statuses: readonly NodeStatus[]
}

/** All that was found of a delegation. */
export interface DelegationCheck {
  readonly domain: Hostname
  readonly state: SwitchState
  /** The zone above; null where nobody could be asked. */
  readonly parent: string | null
  readonly nameServers: readonly OwnServer[]
  readonly nodes: readonly Omit<NodeAnswer, 'server'>[]
  /** Against the present name servers, while some are not ours; null where there was nothing to compare. */
  readonly records: Omit<RecordsComparison, 'findings'> | null
  readonly findings: readonly DelegationFinding[]
  /** Whether anybody answered at all. */
  readonly isAsked: boolean
}

/** Strangers' servers that are tried until one answers. */
const MAX_OLD = 6
const MAX_TARGETS = 50

/** Asks the parent, our nodes, and before a switch the present name servers. Rejects only where the signal is aborted. */
export async function checkDelegation(domain: Hostname, options: CheckOptions): Promise<DelegationCheck> {
  const { state, statuses } = options
  const own = readOwnZone(state, domain)
  const apexes = listDomains(state).map(({ apex }) => apex)
  const ownParent = findOwnParent(domain, apexes)
  const nameServers = own?.servers ?? []
  const names = nameServers.map(({ name }) => name)
  const [report, nodes] = await Promise.all([
    ownParent === undefined ? askParent(domain, options) : undefined,
    askNodes(domain, names, { ...options, state, statuses }),
  ])
  const findings: DelegationFinding[] = []
  if (names.length === 0)
    findings.push(wrong('no-servers', `no node is a name server of ${domain}`, 'maki machine set NAME --ns'))
  const verdict = report === undefined ? undefined : judgeParent(domain, nameServers, report)
  if (verdict === undefined)
    findings.push(
      note('own-parent', `${domain} lies in ${ownParent}, which is ours too: nothing is to be entered for it anywhere`),
    )
  findings.push(...(verdict?.findings ?? []), ...judgeNodes(domain, nodes))
  const compared =
    own === undefined || report?.kind !== 'asked' || verdict === undefined || verdict.strangers.length === 0
      ? undefined
      : await compare(own, verdict.strangers, report, nodes, options)
  findings.push(...(compared?.findings ?? []))
  return {
    domain,
    state: verdict?.state ?? 'ours',
    parent: report === undefined ? (ownParent ?? null) : report.parent === undefined ? null : nameZone(report.parent),
    nameServers,
    nodes: nodes.map(({ server: _server, ...rest }) => rest),
    records: compared?.records ?? null,
    findings,
    isAsked: report?.kind === 'asked' || nodes.some(({ serial }) => serial !== null),
  }
}

type Asked = Extract<ParentReport, { kind: 'asked' }>

async function compare(
  own: OwnZone,
  strangers: readonly string[],
  report: Asked,
  nodes: readonly NodeAnswer[],
  options: CheckOptions,
): Promise<{ records: DelegationCheck['records']; findings: readonly DelegationFinding[] }> {
  const { zone } = own
  const ours = nodes.find(({ outcome, server }) => outcome === 'right' && server !== null)?.server ?? undefined
  if (ours === undefined) {
    const why = 'none of our nodes answers, so nothing was compared with the present name servers'
    return { records: null, findings: [wrong('records-not-compared', why, 'maki health')] }
  }
  const { questions, isCut } = listQuestions(zone)
  const findings: DelegationFinding[] = []
  if (isCut)
    findings.push(note('records-not-compared', `${zone.apex} has more names than are compared: the first were`))
  const tried: string[] = []
  for (const { name, address } of (await locateOld(strangers, zone.apex, report, options)).slice(0, MAX_OLD)) {
    const server = { host: address, port: DNS_PORT }
    const why = await findSilence(zone.apex, server, options)
    if (why !== undefined) {
      tried.push(`${name} (${address}): ${why}`)
      continue
    }
    const [old, here] = await askBoth([server, ours], questions, zone.apex, options)
    const { findings: found, ...records } = compareRecords(zone, name, old, here)
    return { records, findings: [...findings, ...tried.map((text) => note('old-silent', text)), ...found] }
  }
  const whom = tried.length === 0 ? `no address of ${strangers.join(', ')} is known` : tried.join('; ')
  const why = `no present name server answers for ${zone.apex}, so records were not compared: ${whom}`
  return { records: null, findings: [...findings, note('old-silent', why)] }
}

/** Where the present name servers are: what the parent hands out counts, as it does for resolvers. */
async function locateOld(
  strangers: readonly string[],
  apex: string,
  { servers }: Asked,
  options: CheckOptions,
): Promise<readonly { readonly name: string; readonly address: string }[]> {
  const all = await Promise.all(
    strangers.slice(0, MAX_OLD).map(async (name) => {
      const glue = servers.flatMap(({ word }) => word?.glue.get(name) ?? [])
      const known = [...new Set(glue)].map((address) => ({ name, address }))
      return known.length > 0 || isWithin(name, apex) ? known : locate(name, options)
    }),
  )
  return all.flat()
}

async function findSilence(apex: string, server: ServerAddress, options: CheckOptions): Promise<string | undefined> {
  const { answers, fault } = await askServer(server, [{ name: apex, type: TYPE_CODES.SOA }], options)
  const [soa] = answers
  if (soa === undefined) return fault ?? 'no answer'
  const isThere = soa.answers.some(({ name, type }) => name === apex && type === TYPE_CODES.SOA)
  return soa.authoritative && isThere ? undefined : 'it does not answer with authority'
}

/** Both are asked the same; then for the hosts that records of the old side lead to. */
async function askBoth(
  servers: readonly [ServerAddress, ServerAddress],
  questions: readonly DnsQuestion[],
  apex: string,
  options: CheckOptions,
): Promise<readonly [ReceivedSets, ReceivedSets]> {
  const ask = (list: readonly DnsQuestion[]) => Promise.all(servers.map((server) => askServer(server, list, options)))
  const first = await ask(questions)
  const asked = new Set(questions.map(({ name }) => name))
  const targets = listTargets(readSets(questions, first[0]?.answers ?? []))
  const fresh = [...new Set(targets)].filter((name) => isWithin(name, apex) && !asked.has(name)).slice(0, MAX_TARGETS)
  const more = fresh.flatMap(hostQuestions)
  const second = await ask(more)
  const [old, here] = [0, 1].map((i) =>
    readSets([...questions, ...more], [...(first[i]?.answers ?? []), ...(second[i]?.answers ?? [])]),
  )
  return [old, here] as readonly [ReceivedSets, ReceivedSets]
}
