import { asMakiError, type ClusterId, type MemberKey, type NodeView } from '../../core/index.ts'
import type { ClusterStatus, HealthVerdict, MeshReport, NodeStatus } from '../../edge/index.ts'
import type { Connect } from '../client/connect.ts'
import type { Machine } from '../config/index.ts'
import { formatFingerprint, parseHostKey } from '../ssh/index.ts'
import type { NamedMachine } from './choose-machines.ts'
import { type ShownMesh, showMesh } from './machine-rows.ts'
import { openServer, type ServerAccess } from './open-server.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'

/** All that is known of one machine, as `maki machine show` prints it. */
export interface MachineDescription {
  readonly name: string
  /** The entry of the profile; null where it has none. */
  readonly profile: {
    readonly sshTarget: string | null
    readonly port: number | null
    readonly control: string | null
    /** `SHA256:` and base64, as `ssh-keygen -l` prints it; null where none is pinned. */
    readonly hostKey: string | null
  } | null
  /** What the cluster has of it; null where it is no node. */
  readonly node:
    | (Omit<NodeView, 'name' | 'key' | 'mesh'> & { readonly key: MemberKey; readonly mesh: ShownMesh | null })
    | null
  /** What it says of itself; null where it does not answer, and `faults` say why. */
  readonly self: NodeStatus | null
  /** Its tunnels to the others, as it sees them; null where it does not answer, or has none. */
  readonly tunnels: MeshReport | null
  /** What each other machine that answers says of it. */
  readonly seen: readonly {
    readonly by: string
    readonly up: boolean
    readonly lagMs: number | null
    readonly health: readonly HealthVerdict[]
  }[]
  /** What lies on its server; null where it has none, or SSH does not answer. */
  readonly server: ServerFacts | null
  /** Why something is not known. */
  readonly faults: readonly string[]
}

export interface DescribeOptions {
  readonly cluster: ClusterId
  readonly others: readonly Machine[]
  readonly connect: Connect
  readonly access: ServerAccess
  /** Asks nobody. */
  readonly isOffline: boolean
}

const ANSWER_MS = 10_000

/** Asks a machine, its server and the other machines, all at once. Rejects only where it is interrupted. */
export async function describeMachine(
  { name, machine, node }: NamedMachine,
  options: DescribeOptions,
): Promise<MachineDescription> {
  const faults: string[] = []
  const { signal } = options.access.host
  const [own, seen, server] = options.isOffline
    ? [undefined, [], undefined]
    : await Promise.all([
        machine === undefined ? undefined : askStatus(machine, options, faults),
        node === undefined ? [] : askOthers(node, options),
        machine === undefined ? undefined : askServer(machine, options, faults),
      ])
  signal.throwIfAborted()
  const self = own?.nodes.find(({ key }) => key === own.self) ?? null
  if (self !== null && node !== undefined && self.key !== node.key)
    faults.push(`what answers there is another node: ${self.name} (${self.key})`)
  return {
    name,
    profile:
      machine === undefined
        ? null
        : {
            sshTarget: machine.sshTarget ?? null,
            port: machine.port ?? null,
            control: machine.control ?? null,
            hostKey: machine.hostKey === undefined ? null : formatFingerprint(parseHostKey(machine.hostKey)),
          },
    node: node === undefined ? null : describeNode(node, options.cluster),
    self,
    tunnels: own?.mesh ?? null,
    seen,
    server: server ?? null,
    faults,
  }
}

const describeNode = ({ name: _, ...node }: NodeView, cluster: ClusterId) => ({
  ...node,
  mesh: showMesh(node, cluster),
})

async function askStatus(
  machine: Machine,
  { connect, access }: DescribeOptions,
  faults: string[],
): Promise<ClusterStatus | undefined> {
  try {
    using control = await connect(machine)
    return await control.status({ signal: access.host.signal, answerMs: ANSWER_MS })
  } catch (thrown) {
    faults.push(asMakiError(thrown).message)
    return undefined
  }
}

async function askOthers({ key, name }: NodeView, options: DescribeOptions): Promise<MachineDescription['seen']> {
  const others = options.others.filter((other) => other.name !== name)
  const all = await Promise.all(
    others.map(async (other) => {
      const status = await askStatus(other, options, [])
      const seen = status?.nodes.find((each) => each.key === key)
      return seen === undefined ? [] : [{ by: other.name, up: seen.up, lagMs: seen.lagMs, health: seen.health ?? [] }]
    }),
  )
  return all.flat()
}

async function askServer(
  machine: Machine,
  { access }: DescribeOptions,
  faults: string[],
): Promise<ServerFacts | undefined> {
  const { sshTarget } = machine
  if (sshTarget === undefined) return undefined
  try {
    await using server = await openServer(access, { ...machine, sshTarget })
    return await readServerFacts(server, access.host.signal)
  } catch (thrown) {
    const { message } = asMakiError(thrown)
    if (!faults.includes(message)) faults.push(message)
    return undefined
  }
}
