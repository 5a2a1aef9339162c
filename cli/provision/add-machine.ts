import {
  type ClusterId,
  findNode,
  listNodes,
  MakiError,
  type MemberKey,
  type NodeName,
  parseNodeName,
} from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { ControlClient } from '../client/control-client.ts'
import { ensureProfileKey } from '../client/profile-key.ts'
import { defaultDataFolder, findProfile, type Machine, type ProfileContent, updateProfile } from '../config/index.ts'
import { describeMesh } from '../machine/plan-update.ts'
import type { Host } from '../program/host.ts'
import { connectSsh, formatSshTarget, type KeyRing, type SshTarget } from '../ssh/index.ts'
import type { StepList } from './step-list.ts'

export interface AddContext {
  readonly host: Host
  readonly profileFile: string
  readonly steps: StepList
  readonly keyRing: KeyRing
  /** Takes the host key of a server that is new without asking. */
  readonly yes: boolean
  openClient(profile: ProfileContent, options: { offline: boolean; node?: string }): Promise<ClusterClient>
}

export interface AddResult {
  readonly name: NodeName
  readonly cluster: ClusterId
  readonly profile: string
  /** False: the profile had it so already. */
  readonly changed: boolean
  /** The key of this computer. */
  readonly key: MemberKey
  /** Whether that is a member of the cluster. */
  readonly isMember: boolean
  /** Machines of the cluster that the profile does not know how to reach. */
  readonly others: readonly string[]
}

/** Reads who a running node is, and writes it to the profile; makes the profile, and a key, where there is none. */
export async function addMachine(context: AddContext, target: SshTarget): Promise<AddResult> {
  const { host, steps, profileFile, keyRing, yes } = context
  const { env, runtime, signal } = host
  const before = await findProfile(profileFile, env)
  const sshTarget = formatSshTarget({ ...target, port: 22 })
  const known = before?.machines.find(
    (machine) => machine.sshTarget === sshTarget && (machine.port ?? 22) === target.port,
  )
  await using server = await steps.run('Connect', () =>
    connectSsh({
      target,
      hostKey: known?.hostKey,
      firstUse: yes ? 'take' : 'ask',
      env,
      runtime,
      signal,
      keyRing,
      onNote: (text) => steps.note(text),
    }),
  )
  const asked = await steps.run('Ask the node', async (step) => {
    using control = new ControlClient({ open: () => server.openControl(), name: sshTarget, runtime })
    const { cluster, self, nodes } = await control.status({ signal })
    const said = nodes.find(({ key }) => key === self)?.name
    if (said === undefined) {
      throw new MakiError(
        'MAKI_UNREACHABLE',
        `the node on ${sshTarget} does not know its own name: it is no member of its cluster`,
        {
          hint: 'It was taken out, or is being set up: maki machine init NAME USER@HOST',
        },
      )
    }
    const name = parseNodeName(said)
    step.say(`${name} of the cluster ${cluster.id}`)
    return { cluster: cluster.id, self, name }
  })
  const { cluster, self, name } = asked
  if (before !== undefined && before.cluster !== cluster) {
    throw new MakiError(
      'MAKI_CONFLICT',
      `${name} belongs to the cluster ${cluster}, and ${profileFile} is of ${before.cluster}`,
      {
        hint: 'Write it to a profile of its own: --profile FILE',
      },
    )
  }
  const empty: ProfileContent = {
    file: profileFile,
    cluster,
    machines: [],
    dataFolder: defaultDataFolder(cluster, env),
  }
  const plain: Machine = {
    name,
    sshTarget,
    port: target.port === 22 ? undefined : target.port,
    hostKey: server.hostKey,
    isNameserver: false,
  }
  const { signer } = await ensureProfileKey(before ?? empty, runtime)
  const read = await steps.run('Read the cluster', async () => {
    const reading = { ...(before ?? empty), machines: [plain] }
    await using client = await context.openClient(reading, { offline: false, node: name })
    if ((await client.pull()) === undefined) throw client.unreachableError()
    return {
      node: findNode(client.state, self),
      names: listNodes(client.state).map((node) => node.name),
      isMember: client.local.isMember(signer.key),
    }
  })
  const machine: Machine = {
    ...plain,
    isNameserver: read.node?.nameserver ?? false,
    latitude: read.node?.place?.latitude,
    longitude: read.node?.place?.longitude,
    ipv4: read.node?.ipv4 ?? undefined,
    ipv6: read.node?.ipv6 ?? undefined,
    ...describeMesh({ mesh: read.node?.mesh ?? null }, cluster),
  }
  let changed = false
  const after = await steps.run('Profile', async (step) => {
    const edited = await updateProfile(
      profileFile,
      env,
      runtime,
      (present) => {
        const { machines, ...rest } = present ?? empty
        const old = machines.find((one) => one.name === name)
        const next = { ...old, ...machine }
        if (present !== undefined && old !== undefined && isSame(old, next)) return undefined
        changed = true
        return {
          ...rest,
          machines: old === undefined ? [...machines, next] : machines.map((one) => (one === old ? next : one)),
        }
      },
      { signal },
    )
    if (changed) step.say(profileFile)
    else step.same(profileFile)
    return edited
  })
  const listed = new Set((after?.machines ?? []).map((one) => one.name))
  const others = read.names.filter((other) => !listed.has(other))
  return { name, cluster, profile: profileFile, changed, key: signer.key, isMember: read.isMember, others }
}

const isSame = (a: Machine, b: Machine): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (key) => a[key as keyof Machine] === b[key as keyof Machine],
  )
