import {
  listNodes,
  listProbeTargets,
  type NodeView,
  type ProbeTarget,
  type Runtime,
  type State,
} from '../../core/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import { askOverTcp } from './ask-dns.ts'
import { compareAnswer, type ExpectedAnswer, listExpected, nameQuestion } from './expected-answers.ts'
import { isLocalCluster } from './probe-address.ts'
import { probeService } from './probe-service.ts'
import { findPorts } from './service-ports.ts'

/** What was seen of one service at one address, from this computer. */
export interface SeenService {
  readonly service: ProbeTarget['service']
  readonly family: ProbeTarget['family']
  readonly address: string
  /** `unknown`: it could not be asked from here. */
  readonly outcome: 'up' | 'down' | 'unknown'
  readonly tookMs?: number
  readonly reason?: string
}

/** How a name server answers for what this computer knows of the zones. */
export interface RecordsCheck {
  readonly address: string
  /** Sets of records that were asked for, and those that were answered as they should be. */
  readonly asked: number
  readonly right: number
  readonly differ: readonly { readonly question: string; readonly how: string }[]
  /** Why not all were answered. */
  readonly fault?: string
}

/** A node as it was found. */
export interface NodeCheckup {
  readonly name: string
  readonly key: NodeView['key']
  readonly drained: boolean
  readonly nameserver: boolean
  readonly seen: readonly SeenService[]
  /** Null where it is no name server, or its DNS could not be reached. */
  readonly records: RecordsCheck | null
  /** What the node that was asked says of it; null when none was reached. */
  readonly status: NodeStatus | null
}

export interface CheckupOptions {
  readonly state: State
  /** From the node that was reached; empty when none was. */
  readonly nodes: readonly NodeStatus[]
  readonly version: string
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly signal: AbortSignal
}

export interface Checkup {
  readonly nodes: readonly NodeCheckup[]
  /** Whether there are more sets of records than were asked for. */
  readonly isCut: boolean
}

/** As long as a node takes by default. */
const TIMEOUT_MS = 5_000
/** Of each server: some seconds where it is far away. */
const MAX_QUESTIONS = 2_000
const AT_ONCE = 8

/** Asks every address of every node from here, and every name server for what the zones hold. Never rejects for a node. */
export async function checkNodes(options: CheckupOptions): Promise<Checkup> {
  const { state, nodes, signal } = options
  const statuses = new Map(nodes.map((status) => [status.key, status]))
  const { expected, isCut } = listExpected(state, MAX_QUESTIONS)
  const waiting = [...listNodes(state)]
  const found = new Map<string, NodeCheckup>()
  const work = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      signal.throwIfAborted()
      found.set(node.key, await checkNode(node, statuses.get(node.key), expected, options))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  signal.throwIfAborted()
  return { nodes: listNodes(state).flatMap(({ key }) => found.get(key) ?? []), isCut }
}

async function checkNode(
  node: NodeView,
  status: NodeStatus | undefined,
  expected: readonly ExpectedAnswer[],
  options: CheckupOptions,
): Promise<NodeCheckup> {
  const seen = await Promise.all(listProbeTargets(node).map((target) => seeService(target, status, options)))
  const server = seen.find(({ service, outcome }) => service === 'dns' && outcome === 'up')
  const records = server === undefined ? null : await checkRecords(server.address, status, expected, options)
  const { name, key, drained, nameserver } = node
  return { name, key, drained, nameserver, seen, records, status: status ?? null }
}

async function seeService(
  target: ProbeTarget,
  status: NodeStatus | undefined,
  { state, version, runtime, signal }: CheckupOptions,
): Promise<SeenService> {
  const { kind, ...report } = await probeService(target, {
    ports: findPorts(target.address, status?.serves),
    isLocal: isLocalCluster(listNodes(state)),
    apex: state.ids('domain')[0],
    version,
    dnsTimeoutMs: TIMEOUT_MS,
    httpTimeoutMs: TIMEOUT_MS,
    runtime,
    signal,
  })
  const { service, family, address } = target
  return { service, family, address, outcome: kind, ...report }
}

async function checkRecords(
  address: string,
  status: NodeStatus | undefined,
  expected: readonly ExpectedAnswer[],
  { runtime, signal }: CheckupOptions,
): Promise<RecordsCheck> {
  const port = findPorts(address, status?.serves)?.dns
  if (port === undefined) throw new Error(`DNS at ${address} was up without a port`)
  const { answers, fault } = await askOverTcp({ host: address, port, timeoutMs: TIMEOUT_MS, runtime, signal }, expected)
  const differ = expected.flatMap((one, i) => {
    const answer = answers[i]
    const how = answer === undefined ? undefined : compareAnswer(one, answer)
    return how === undefined ? [] : [{ question: nameQuestion(one), how }]
  })
  const answered = answers.filter((answer) => answer !== undefined).length
  const check = { address, asked: expected.length, right: answered - differ.length, differ }
  return fault === undefined ? check : { ...check, fault }
}
