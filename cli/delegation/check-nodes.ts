import { listNodes, type NodeView, type State } from '../../core/index.ts'
import { RCODES, TYPE_CODES } from '../../dns/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import { askOverUdp, findPorts, isLocalCluster, type ReceivedResponse, refuseAddress } from '../health/index.ts'
import { type AskOptions, askServer, type ServerAddress } from './ask-server.ts'
import { type DelegationFinding, note, wrong } from './finding.ts'
import { nameRcode, readNameData } from './resolve.ts'

/** How one of our name servers answers for a zone, at one address. */
export interface NodeAnswer {
  readonly node: string
  readonly address: string
  /** `unknown`: it could not be asked from here. */
  readonly outcome: 'right' | 'wrong' | 'unknown'
  /** Of the SOA; null where none came. */
  readonly serial: number | null
  /** Where it was asked; null where nobody knows. */
  readonly server: ServerAddress | null
  readonly fault: string | null
}

/** Asks every address of every name server of ours for SOA and NS, over UDP and over TCP. */
export async function askNodes(
  apex: string,
  nameServers: readonly string[],
  options: AskOptions & { readonly state: State; readonly statuses: readonly NodeStatus[] },
): Promise<readonly NodeAnswer[]> {
  const nodes = listNodes(options.state)
  const isLocal = isLocalCluster(nodes)
  const asked = nodes
    .filter(({ nameserver }) => nameserver)
    .flatMap((node) => [node.ipv4, node.ipv6].flatMap((address) => (address === null ? [] : [{ node, address }])))
  return Promise.all(
    asked.map(async ({ node, address }): Promise<NodeAnswer> => {
      const at = { node: node.name, address, serial: null }
      const refused = refuseAddress(address, isLocal)
      const port = findPorts(address, options.statuses.find(({ key }) => key === node.key)?.serves)?.dns
      if (refused !== undefined) return { ...at, server: null, outcome: 'wrong', fault: refused }
      if (port === undefined)
        return { ...at, server: null, outcome: 'unknown', fault: 'nobody says on which port it answers' }
      return askNode(apex, nameServers, { node, server: { host: address, port } }, options)
    }),
  )
}

async function askNode(
  apex: string,
  nameServers: readonly string[],
  { node, server }: { readonly node: NodeView; readonly server: ServerAddress },
  options: AskOptions,
): Promise<NodeAnswer> {
  const at = { node: node.name, address: server.host, server }
  const questions = [TYPE_CODES.SOA, TYPE_CODES.NS].map((type) => ({ name: apex, type }))
  const overUdp = await Promise.all(questions.map((question) => askOverUdp({ ...server, ...options }, question)))
  options.signal?.throwIfAborted()
  const local = overUdp.find(({ isLocal }) => isLocal)
  if (local !== undefined)
    return { ...at, serial: null, outcome: 'unknown', fault: `this computer has no way there (${local.fault})` }
  const overTcp = await askServer(server, questions, { ...options, onlyTcp: true })
  const rounds = [
    { way: 'UDP', answers: overUdp.map(({ answer }) => answer), fault: overUdp.find(({ fault }) => fault)?.fault },
    { way: 'TCP', answers: overTcp.answers, fault: overTcp.fault },
  ]
  let serial: number | null = null
  for (const { way, answers, fault } of rounds) {
    const [soa, ns] = answers
    if (soa === undefined || ns === undefined)
      return { ...at, serial, outcome: 'wrong', fault: `over ${way}: ${fault ?? 'no answer'}` }
    const why = findFault(apex, nameServers, soa, ns)
    if (why !== undefined) return { ...at, serial, outcome: 'wrong', fault: `over ${way}: ${why}` }
    serial = readSerial(apex, soa)
  }
  return { ...at, serial, outcome: 'right', fault: null }
}

function findFault(
  apex: string,
  nameServers: readonly string[],
  soa: ReceivedResponse,
  ns: ReceivedResponse,
): string | undefined {
  for (const { rcode, authoritative } of [soa, ns]) {
    if (rcode !== RCODES.NOERROR) return `it answers ${nameRcode(rcode)}`
    if (!authoritative) return 'it does not answer with authority'
  }
  if (readSerial(apex, soa) === null) return 'it has no SOA'
  const named = ns.answers
    .filter(({ name, type }) => name === apex && type === TYPE_CODES.NS)
    .map(({ data }) => readNameData(data))
  const [has, wants] = [new Set(named), new Set(nameServers)]
  if (has.size === wants.size && has.isSubsetOf(wants)) return undefined
  return `its name servers are ${[...has].sort().join(', ') || 'none'}`
}

function readSerial(apex: string, { answers }: ReceivedResponse): number | null {
  const soa = answers.find(({ name, type }) => name === apex && type === TYPE_CODES.SOA)
  return soa === undefined || soa.data.length < 22 ? null : Buffer.from(soa.data).readUInt32BE(soa.data.length - 20)
}

/** What is wrong with our own name servers. Pure. */
export function judgeNodes(apex: string, answers: readonly NodeAnswer[]): readonly DelegationFinding[] {
  const findings = answers.flatMap(({ node, address, outcome, fault }): DelegationFinding[] => {
    if (outcome === 'right') return []
    const who = `${node} (${address})`
    return outcome === 'unknown'
      ? [note('node-not-asked', `${who} was not asked: ${fault}`)]
      : [wrong('node-lame', `${who} does not answer for ${apex} as it should: ${fault}`, 'maki health')]
  })
  const serials = [...new Set(answers.flatMap(({ serial }) => serial ?? []))]
  if (serials.length > 1) {
    const each = answers.filter(({ serial }) => serial !== null).map(({ node, serial }) => `${node} ${serial}`)
    findings.push(
      wrong(
        'node-differs',
        `the nodes answer with different serials: ${each.join(', ')}`,
        'They catch up in seconds; if not: maki health',
      ),
    )
  }
  return findings
}
