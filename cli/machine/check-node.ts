import { asMakiError, listNodes, listProbeTargets, type NodeView } from '../../core/index.ts'
import type { ClusterStatus, NodeStatus } from '../../edge/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Connect } from '../client/connect.ts'
import type { Machine } from '../config/index.ts'
import { findPorts, isLocalCluster, probeService } from '../health/index.ts'
import { plainLine } from '../output/text.ts'
import { readPackageInfo } from '../program/package-info.ts'

/** What is wrong with a node, in words, by what was looked at. Empty where all of it is well. */
export type NodeFaults = ReadonlyMap<string, string>

export interface CheckOptions {
  readonly client: ClusterClient
  readonly connect: Connect
  readonly machine: Machine
  /** Undefined for a machine that is no node: then only its control socket is asked. */
  readonly node: NodeView | undefined
  /** The other nodes have to have heard it since so long, milliseconds; left out where any word will do. */
  readonly heardWithinMs?: number
}

/** What was found, and what the node says of itself. */
export interface NodeCheck {
  readonly faults: NodeFaults
  /** Undefined where it does not answer. */
  readonly own: NodeStatus | undefined
}

const ANSWER_MS = 10_000
const PROBE_MS = 5_000

/**
 * Looks at a node as those see it who need it: through its control socket, by DNS and HTTP at its public addresses from here,
 * and by what another node says of it. What cannot be told from here is no fault. Rejects only where it is interrupted.
 */
export async function checkNode(options: CheckOptions): Promise<NodeCheck> {
  const { client, machine } = options
  const [own, others] = await Promise.all([askStatus(options, machine), askAnother(options)])
  client.signal.throwIfAborted()
  const faults = new Map<string, string>()
  const self =
    'status' in own ? own.status.nodes.find(({ key }) => key === (own.status as ClusterStatus).self) : undefined
  if ('fault' in own) faults.set('control', own.fault)
  else for (const [what, fault] of judgeOwn(own.status, options)) faults.set(what, fault)
  if (others !== undefined) for (const [what, fault] of judgeOthers(others, options)) faults.set(what, fault)
  for (const [what, fault] of await probe(options, self)) faults.set(what, fault)
  client.signal.throwIfAborted()
  return { faults, own: self }
}

type Asked = { readonly status: ClusterStatus } | { readonly fault: string }

async function askStatus({ connect, client }: CheckOptions, machine: Machine): Promise<Asked> {
  try {
    using control = await connect(machine)
    return { status: await control.status({ signal: client.signal, answerMs: ANSWER_MS }) }
  } catch (thrown) {
    return { fault: `its control socket does not answer: ${asMakiError(thrown).message}` }
  }
}

/** The first of the others that answers; undefined where none does. */
async function askAnother(options: CheckOptions): Promise<ClusterStatus | undefined> {
  const { client, machine } = options
  for (const other of client.profile.machines) {
    if (other.name === machine.name) continue
    const asked = await askStatus(options, other)
    if ('status' in asked && asked.status.cluster.id === client.profile.cluster) return asked.status
  }
  return undefined
}

function* judgeOwn(status: ClusterStatus, { client, node }: CheckOptions): Generator<[string, string]> {
  if (status.cluster.id !== client.profile.cluster) {
    yield ['cluster', `it belongs to another cluster (${status.cluster.id})`]
    return
  }
  const own = status.nodes.find(({ key }) => key === status.self)
  if (node !== undefined && status.self !== node.key) yield ['key', `it says that it is another node (${status.self})`]
  if (status.damaged !== undefined) yield ['store', 'its store is damaged']
  const others = status.nodes.filter(({ up, key }) => up && key !== status.self)
  if (others.length > 0 && !others.some(({ digest }) => digest === own?.digest))
    yield ['history', 'it has not all that the other nodes have']
  if ((own?.unservable.length ?? 0) > 0) yield ['files', 'it lacks files of releases that are served']
}

function* judgeOthers(
  { nodes, self }: ClusterStatus,
  { node, heardWithinMs }: CheckOptions,
): Generator<[string, string]> {
  const seen = nodes.find(({ key }) => key === node?.key)
  const asked = plainLine(nodes.find(({ key }) => key === self)?.name ?? 'another node')
  if (node === undefined) return
  const isLate = heardWithinMs !== undefined && (seen?.lagMs ?? Number.POSITIVE_INFINITY) > heardWithinMs
  if (seen?.up !== true || isLate) yield ['gossip', `${asked} does not hear it`]
  for (const { standing, service, address, reason = 'no reason given' } of seen?.health ?? [])
    if (standing === 'down')
      yield [`seen ${service} ${address}`, `${asked} says that ${service} at ${address} is down: ${plainLine(reason)}`]
}

async function probe({ client, node }: CheckOptions, own: NodeStatus | undefined): Promise<[string, string][]> {
  if (node === undefined) return []
  const { state, runtime, signal } = client
  const targets = listProbeTargets(node)
  const reports = await Promise.all(
    targets.map(async ({ service, address }): Promise<[string, string][]> => {
      const report = await probeService(
        { service, address },
        {
          ports: findPorts(address, own?.serves),
          isLocal: isLocalCluster(listNodes(state)),
          apex: state.ids('domain')[0],
          version: readPackageInfo().version,
          dnsTimeoutMs: PROBE_MS,
          httpTimeoutMs: PROBE_MS,
          runtime,
          signal,
        },
      )
      return report.kind === 'down'
        ? [[`${service} ${address}`, `${service} at ${address}, from here: ${report.reason}`]]
        : []
    }),
  )
  return reports.flat()
}

/** What is wrong now and was not before. Pure. */
export function listNewFaults(before: NodeFaults, now: NodeFaults): readonly string[] {
  return [...now].flatMap(([what, fault]) => (before.has(what) ? [] : [fault]))
}
