import {
  compareOperations,
  Fold,
  findDomain,
  type Hostname,
  Manifest,
  type Operation,
  type OperationId,
  type Release,
} from '../../core/index.ts'
import { readOperation } from '../../replication/index.ts'
import { MAX_PENDING_OPERATIONS } from '../../replication/replica/pending-pool.ts'
import { parseStateVector, parseUpdate } from '../../replication/replica/update-reader.ts'
import type { VirtualBlobs } from './world/blobs.ts'
import type { Cluster, Member } from './world/cluster.ts'
import type { NodeProcess } from './world/node-process.ts'

/** More links than a node may have, connections under way included. */
const MAX_PEERS = 32

/** True when all nodes that belong to the cluster run, and hold and fold the same. Cheap enough to ask after each event. */
export function isConverged(cluster: Cluster): boolean {
  const { present } = cluster
  const processes = present.flatMap(({ process, machine }) => (machine.isUp && process !== undefined ? [process] : []))
  if (processes.length < present.length) return false
  const [first, ...others] = processes
  if (first === undefined) return false
  const { count } = first.shared.replica
  if (others.some(({ shared }) => shared.replica.count !== count)) return false
  const root = Buffer.from(first.shared.inventory.root())
  return (
    others.every(({ shared }) => root.equals(shared.inventory.root())) &&
    processes.every(
      (process) => process.shared.replica.held().every((id) => cluster.future.has(id)) && isServing(process),
    )
  )
}

/** True when a node serves the winning release of each domain. */
function isServing({ shared, served }: NodeProcess): boolean {
  const { state } = shared.replica
  return state.ids('domain').every((id) => {
    const release = findDomain(state, id as Hostname)?.release
    return release === undefined || served.get(id as Hostname)?.id === release.id
  })
}

/** Promise 4: at the moment when an edge begins to serve a release, all that it serves is durable there. */
export function checkServed(cluster: Cluster, member: Member, release: Release | null, blobs: VirtualBlobs): void {
  if (release === null) return
  const fault = findMissing(release, blobs)
  if (fault !== undefined)
    cluster.violate(
      'a visitor never sees a mix',
      `${member.machine.name} serves ${release.domain} ${release.id} ${fault}`,
    )
}

function findMissing(release: Release, { shelf }: VirtualBlobs): string | undefined {
  const bytes = shelf.get(release.manifest)
  if (bytes === undefined) return 'without its manifest'
  for (const { path, hash } of Manifest.decode(bytes).files()) if (!shelf.has(hash)) return `without ${path}`
  return undefined
}

/** What a clean process makes of the same operations: each checked anew, in total order. */
export async function replay(
  process: NodeProcess,
): Promise<{ fold: Fold; operations: Operation[]; forged: OperationId[] }> {
  const { replica } = process.shared
  const operations: Operation[] = []
  const forged: OperationId[] = []
  for (const id of replica.ids()) {
    const bytes = await replica.readBytes(id)
    if (bytes === undefined) continue
    try {
      operations.push(readOperation(bytes, replica.cluster))
    } catch {
      forged.push(id)
      operations.push(readOperation(bytes, replica.cluster, { signatureChecked: true }))
    }
  }
  operations.sort(compareOperations)
  const fold = new Fold()
  // In total order heads stand before what follows them; what follows a held operation is held too.
  const held = new Set(replica.held())
  for (const operation of operations) if (!held.has(operation.id)) fold.add(operation)
  return { fold, operations, forged }
}

/** Promises 1 to 3 of a cluster at rest, and memory. Returns what a clean process makes of its operations. */
export async function checkAtRest(cluster: Cluster): Promise<Fold | undefined> {
  const [reference] = cluster.running
  if (reference === undefined) return undefined
  const clean = await replay(reference)
  const expected = clean.fold.digest()
  for (const id of clean.forged) cluster.violate('3: members only', `${id} is stored and not signed by its author`)
  for (const { machine, process } of cluster.present) {
    if (process === undefined) continue
    const { replica } = process.shared
    const digest = replica.digest()
    const { name } = machine
    if (digest.ids !== expected.ids || digest.count !== expected.count)
      cluster.violate('1: reaches every node', `${name} has ${digest.count} operations, ${expected.count} are known`)
    else if (digest.state !== expected.state)
      cluster.violate('2: same operations, same state', `${name} has another state than a clean replay`)
    for (const [id, { author }] of cluster.acknowledged) {
      const standing = replica.explain(id)
      if (standing.status === 'counted' || cluster.cut.has(author)) continue
      const why = 'reason' in standing ? ` (${standing.reason})` : ''
      cluster.violate('1: acknowledged, folded, not void', `${id} is ${standing.status}${why} on ${name}`)
    }
    for (const [id, why] of cluster.forbidden)
      if (replica.explain(id).status === 'counted')
        cluster.violate('3: bounded by role and rank', `${name} counts ${id}: ${why}`)
    for (const [domain, release] of process.served) {
      const fault = findMissing(release, process.blobs)
      if (fault !== undefined) cluster.violate('a visitor never sees a mix', `${name} serves ${domain} ${fault}`)
    }
    checkMemory(cluster, name, process)
  }
  return clean.fold
}

/** Everything that grows with what peers send has a bound. */
export function checkMemory(cluster: Cluster, name: string, { shared, gossip }: NodeProcess): void {
  const pending = shared.replica.pending().length
  if (pending > MAX_PENDING_OPERATIONS)
    cluster.violate('5: bounded memory', `${name} holds ${pending} operations without heads`)
  const peers = gossip.peers().length
  if (peers > MAX_PEERS) cluster.violate('5: bounded memory', `${name} has ${peers} links`)
  const entries = gossip.awareness.entries().length
  if (entries > cluster.members.length + 1) cluster.violate('5: bounded memory', `${name} knows ${entries} entries`)
}

/** How many entries of the shared document, as this node has it, hold each operation. */
export async function countSlots({ shared }: NodeProcess): Promise<Map<OperationId, number>> {
  const slots = new Map<OperationId, number>()
  for await (const update of shared.diff(new Uint8Array([0])))
    for (const { id } of parseUpdate(update).slots) slots.set(id, (slots.get(id) ?? 0) + 1)
  return slots
}

export const STORM = 'no message storm'

/**
 * Segments between two machines in a second, adversaries included: a storm has thousands, a bad day a few dozen, the moment
 * at which eleven nodes meet again after partitions 113 (seed 24).
 */
const SEGMENTS_PER_PAIR = 125

/**
 * An update is pushed once over each link when it brought a slot that was not in the shared document of this process,
 * and of what comes back nothing is told again: so a process has pushed no more updates than slots times links.
 */
export function checkStorm(cluster: Cluster, segmentsInLastSecond: number): void {
  for (const { machine, process } of cluster.present) {
    if (process === undefined || !process.life.alive) continue
    const pushed = process.gossip.counters.updatesPushed
    const most = sumSlots(process) * (cluster.members.length + 1)
    if (pushed > most) cluster.violate(STORM, `${machine.name} pushed ${pushed} updates, ${most} are the most`)
  }
  const mostSegments = SEGMENTS_PER_PAIR * (cluster.members.length + 2) ** 2
  if (segmentsInLastSecond > mostSegments)
    cluster.violate(STORM, `${segmentsInLastSecond} segments in a second, ${mostSegments} are the most`)
}

const sumSlots = ({ shared }: NodeProcess): number =>
  parseStateVector(shared.stateVector())
    .values()
    .reduce((sum, clock) => sum + clock, 0)

export const COPIES = 'one slot an operation'

/**
 * An operation has one slot in the shared document. It gets further ones where a laptop hands it to two nodes, or where
 * several lack one at the same moment, on the sides of a partition above all; such operations are few. What the adversary
 * copies is counted aside.
 */
const MEAN_SLOTS = 1.25
/** So few say little of a mean. */
const SOME_SLOTS = 20

/** That the shared document does not hold everything once for every node, at rest. */
export async function checkSlots(cluster: Cluster, copied: number): Promise<void> {
  for (const process of cluster.running) {
    const all = (await countSlots(process)).values().reduce((sum, count) => sum + count, 0)
    const most = MEAN_SLOTS * process.shared.replica.count + SOME_SLOTS + copied
    if (all > most)
      cluster.violate(COPIES, `${process.life.name} has ${all} slots of ${process.shared.replica.count} operations`)
  }
}

/** What nodes say of themselves, as the others see it: of each that runs, its present process and its present state. */
export function checkAwareness(cluster: Cluster): void {
  const running = cluster.present.filter(({ process, machine }) => process !== undefined && machine.isUp)
  for (const { machine, process } of running) {
    const entries = new Map(process?.gossip.awareness.entries().map((entry) => [entry.key, entry]))
    for (const other of running) {
      if (other === undefined || other.machine === machine || other.process === undefined) continue
      if (cluster.cloned.has(other.machine.key)) continue
      const entry = entries.get(other.machine.key)
      const { name } = other.machine
      if (entry === undefined || !entry.up) cluster.violate('awareness', `${machine.name} takes ${name} for down`)
      else if (entry.incarnation !== other.process.incarnation)
        cluster.violate('awareness', `${machine.name} believes an earlier process of ${name}`)
    }
    for (const [key, entry] of entries) {
      const gone = cluster.members.find((member) => member.machine.key === key && member.removed)
      if (gone !== undefined && entry.up)
        cluster.violate('awareness', `${machine.name} takes ${gone.machine.name} for up`)
    }
  }
}
