import { asMakiError, MakiError, type Operation, type OperationId } from '../../core/index.ts'
import type { Machine } from '../config/index.ts'
import type { ClusterClient } from './cluster-client.ts'
import type { ControlClient } from './control-client.ts'
import { deliver } from './deliver.ts'
import { pause } from './local-replica.ts'

/** A machine that did not take what was brought to it, and why. */
export interface MissedMachine {
  readonly machine: string
  readonly why: string
}

/** What became of operations that were brought to many machines, each machine once. */
export interface SpreadReport {
  /** It has them now, durable, and is not known to have had them before. */
  readonly taken: readonly string[]
  /** It had them. */
  readonly had: readonly string[]
  readonly missed: readonly MissedMachine[]
}

export interface SpreadOptions {
  /** Machines that are not asked: they have it, or are not to have it from here. */
  readonly except?: readonly string[]
  /** So often a machine that lacks something is looked at once more: what was written this moment may be on its way. */
  readonly looks?: number
  /** A machine as it is reached from now on, in place of what the profile says of it still. */
  readonly moved?: Machine | undefined
}

/** Each takes some connections, and a process on the other side. */
const AT_ONCE = 16
/** Nodes that hear each other tell each other in much less, all together. */
const LOOKS = 4
const LOOK_MS = 250

/**
 * Brings operations to every machine of the profile by itself, whether or not they hear each other, with what they lack of
 * the operations before; many machines at once. Rejects only where it is interrupted.
 */
export async function spread(
  operations: readonly Operation[],
  client: ClusterClient,
  { except = [], looks = 0, moved }: SpreadOptions = {},
): Promise<SpreadReport> {
  if (client.isOffline) return { taken: [], had: [], missed: [] }
  const machines = client.profile.machines
    .filter(({ name }) => !except.includes(name))
    .map((machine) => (machine.name === moved?.name ? moved : machine))
  return await visit(machines, client, async (control) => {
    for (let looked = 0; ; looked++) {
      const heads = await askHeads(control, client)
      if (operations.every(({ id }) => heads.includes(id))) return 'had'
      if (looked >= looks) break
      await pause(client.runtime, LOOK_MS, client.signal)
    }
    await bring(operations, control, client)
    return 'taken'
  })
}

/**
 * Makes all machines of the profile equal that can be reached from here: takes what one alone has, and hands each what it lacks.
 * For machines that do not hear each other. Rejects only where it is interrupted.
 */
export async function spreadAll(client: ClusterClient, { except = [] }: SpreadOptions = {}): Promise<SpreadReport> {
  if (client.isOffline) return { taken: [], had: [], missed: [] }
  const machines = client.profile.machines.filter(({ name }) => !except.includes(name))
  const { replica } = client.local
  const ahead: Machine[] = []
  const looked = await visit(machines, client, async (control, machine) => {
    const heads = await askHeads(control, client)
    if (heads.some((id) => !replica.has(id))) ahead.push(machine)
    return 'had'
  })
  // One after the other: each is written to the copy on this computer.
  const pulled = await visit(
    ahead,
    client,
    async (control, machine) => {
      await client.pull({ machine, control })
      return 'had'
    },
    1,
  )
  const missed = [...looked.missed, ...pulled.missed]
  const operations = await readHeads(client)
  const asked = [...except, ...missed.map(({ machine }) => machine)]
  const brought = await spread(operations, client, { except: asked, looks: LOOKS })
  return { ...brought, missed: [...missed, ...brought.missed] }
}

/** The last operations that are known here: who has these has all. */
async function readHeads({ local: { replica } }: ClusterClient): Promise<readonly Operation[]> {
  const heads = await Promise.all(replica.heads().map(({ id }) => replica.read(id)))
  return heads.filter((operation) => operation !== undefined)
}

/** What the machine's own node has last. Throws where it is one of another cluster. */
async function askHeads(control: ControlClient, { profile, signal }: ClusterClient): Promise<readonly OperationId[]> {
  const { cluster, nodes, self } = await control.status({ signal })
  if (cluster.id !== profile.cluster)
    throw new MakiError('MAKI_CONFLICT', `it belongs to another cluster (${cluster.id})`)
  return nodes.find(({ key }) => key === self)?.heads ?? []
}

async function bring(operations: readonly Operation[], control: ControlClient, client: ClusterClient): Promise<void> {
  const source = {
    bringBlobs: async (operation: Operation) => client.blobs?.bring(operation, control, client.signal),
    listAncestors: (operation: Operation, limit: number) => client.local.listAncestors(operation, limit),
  }
  const { refused } = await deliver(operations, control, source, client.signal)
  const [first] = refused
  if (first !== undefined) throw first.error
}

type Visited = 'taken' | 'had'

async function visit(
  machines: readonly Machine[],
  client: ClusterClient,
  act: (control: ControlClient, machine: Machine) => Promise<Visited>,
  atOnce = AT_ONCE,
): Promise<SpreadReport> {
  const outcomes = new Map<Machine, Visited | MissedMachine>()
  const queue = [...machines]
  const work = async (): Promise<void> => {
    for (let machine = queue.shift(); machine !== undefined; machine = queue.shift()) {
      try {
        using control = await client.connect(machine, client.signal)
        outcomes.set(machine, await act(control, machine))
      } catch (thrown) {
        client.signal.throwIfAborted()
        outcomes.set(machine, { machine: machine.name, why: asMakiError(thrown).message })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, machines.length) }, work))
  const named = (wanted: Visited) => machines.flatMap((one) => (outcomes.get(one) === wanted ? [String(one.name)] : []))
  const missed = machines.flatMap((one) => {
    const outcome = outcomes.get(one)
    return typeof outcome === 'object' ? [outcome] : []
  })
  return { taken: named('taken'), had: named('had'), missed }
}
