import {
  announcedSchema,
  type Change,
  type ClusterId,
  findNode,
  listNodes,
  listPeers,
  MakiError,
  type MemberKey,
  type NodeMesh,
  type NodeName,
  type NodeView,
  SCHEMA,
  type Signer,
  type State,
} from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { type SpreadReport, spread } from '../client/spread.ts'
import type { Profile } from '../config/index.ts'
import { describeMesh } from '../machine/plan-update.ts'
import type { KnownPlace } from './find-place.ts'
import type { NodeAddresses } from './survey/addresses.ts'

/** Since when operations can say how a node takes part in the mesh. */
const MESH_SCHEMA = 4
/** Name servers that a cluster is given by itself: as many as registrars like to see. */
const USUAL_NAMESERVERS = 3

export interface JoinFields {
  readonly name: NodeName
  readonly addresses: NodeAddresses
  readonly place: KnownPlace | null
  readonly nameserver: boolean
  /** How it takes part in the mesh; null where it does not. */
  readonly mesh: NodeMesh | null
}

/** Whether a new machine is a name server unless it is said otherwise. */
export const isUsualNameserver = (state: State, name: NodeName): boolean =>
  listNodes(state).filter((node) => node.nameserver && node.name !== name).length < USUAL_NAMESERVERS

/**
 * The node of the state that has the name. Throws MAKI_CONFLICT where that is another machine: one of the profile that lies
 * elsewhere, or one that a node has heard. One that nobody ever heard is what a run that was broken off left.
 */
export async function requireFreeName(
  client: ClusterClient,
  name: NodeName,
  where: { readonly isThere: boolean; readonly sshTarget: string; readonly recreate: boolean },
): Promise<NodeView | undefined> {
  if (listPeers(client.state).some((peer) => peer.name === name))
    throw new MakiError('MAKI_CONFLICT', `${name} is the name of an external peer`, {
      hint: `Take another name; or, where that peer is gone: maki peer remove ${name}`,
    })
  const node = listNodes(client.state).find((one) => one.name === name)
  if (where.isThere || where.recreate) return node
  const machine = client.profile.machines.find((one) => one.name === name)
  if (machine !== undefined) {
    const place = machine.sshTarget ?? 'a node on this computer'
    throw new MakiError(
      'MAKI_CONFLICT',
      `there is a machine ${name} already (${place}), and ${where.sshTarget} is no node of this cluster`,
      {
        hint: 'Take another name; or, where it is that machine and has lost all, set it up anew with --recreate.',
      },
    )
  }
  // A profile without machines is one whose first was broken off.
  if (node === undefined || client.profile.machines.length === 0) return node
  const reached = await client.reach()
  const heard = reached?.status.nodes.find(({ key }) => key === node.key)
  if (heard !== undefined && heard.lagMs === null && heard.key !== reached?.status.self) return node
  throw new MakiError('MAKI_CONFLICT', `the cluster has a node ${name} already, which this profile does not list`, {
    hint: `Where it runs: maki machine add USER@HOST. Where it is gone: maki machine remove ${name}, or --recreate here.`,
  })
}

/**
 * Throws MAKI_UNSUPPORTED where a new machine would reach none of the others, for they are not in the mesh, or do not read
 * who is. Pure.
 */
export function requireMesh(state: State, name: NodeName): void {
  const others = listNodes(state).filter((node) => node.name !== name)
  const early = others.filter(({ schema, mesh }) => schema < MESH_SCHEMA || mesh === null).map((node) => node.name)
  const isReached = others.length === 0 || others.some(({ mesh }) => mesh !== null)
  if (isReached && others.every(({ schema }) => schema >= MESH_SCHEMA)) return
  throw new MakiError(
    'MAKI_UNSUPPORTED',
    `${early.join(', ')} ${early.length === 1 ? 'takes' : 'take'} no part in the mesh, through which machines reach each other`,
    {
      hint: `A moment after their upgrade they do: maki machine upgrade ${early.join(' ')}. Those that are gone: maki machine remove NAME`,
    },
  )
}

/** The changes that let a node in, by its key; empty where it is a member as it should be. Pure. */
export function planJoin(
  state: State,
  key: MemberKey,
  fields: JoinFields,
  before: NodeView | undefined,
): readonly Change[] {
  if (before !== undefined && before.key === key && findNode(state, key) !== undefined) return []
  const changes: Change[] = []
  if (before !== undefined) changes.push({ kind: 'node.remove', key: before.key, how: 'retire' })
  const { name, addresses, place, nameserver, mesh } = fields
  const announced = announcedSchema(state)
  changes.push({
    kind: 'node.join',
    key,
    name,
    addresses: { ipv4: addresses.ipv4, ipv6: addresses.ipv6 },
    place: place === null ? null : { latitude: place.latitude, longitude: place.longitude },
    nameserver,
    drained: false,
    ...(announced === SCHEMA ? { schema: SCHEMA } : {}),
    ...(announced >= MESH_SCHEMA && mesh !== null ? { mesh } : {}),
  })
  return changes
}

/**
 * Lets the node in, and tells every machine; resolves with what became of that beside the first that was told, undefined
 * where it is a member already.
 */
export async function joinCluster(
  client: ClusterClient,
  signer: Signer,
  key: MemberKey,
  fields: JoinFields,
  before: NodeView | undefined,
): Promise<SpreadReport | undefined> {
  if (client.local.replica.findMember(key) !== undefined && !client.local.isMember(key)) {
    throw new MakiError(
      'MAKI_CONFLICT',
      `the node's key ${key} was removed from the cluster, and a removed key never returns`,
      {
        hint: 'Set it up anew, with another key: --recreate',
      },
    )
  }
  const message = `maki machine init ${fields.name}`
  const isReplaced = before !== undefined && before.key !== key
  // Of an older version, it would keep the others from being told how the new one takes part in the mesh.
  if (isReplaced && announcedSchema(client.state) < MESH_SCHEMA)
    await client.commit([{ kind: 'node.remove', key: before.key, how: 'retire' }], { signer, message })
  const stays = before === undefined ? undefined : findNode(client.state, before.key)
  const changes = planJoin(client.state, key, fields, stays)
  if (changes.length === 0) return undefined
  const operation = await client.commit(changes, { signer, message })
  const { machine } = await client.exchange(operation.id)
  // Each that knows it lets it into the mesh, whether or not they hear each other.
  const except = [fields.name, machine].filter((name) => name !== undefined)
  return machine === undefined ? { taken: [], had: [], missed: [] } : await spread([operation], client, { except })
}

/** Takes a node that never began out again. What no machine takes now waits for the next exchange. */
export async function leaveCluster(
  client: ClusterClient,
  signer: Signer,
  key: MemberKey,
  name: NodeName,
): Promise<void> {
  const message = `maki machine init ${name} failed`
  const removal = await client.commit([{ kind: 'node.remove', key, how: 'retire' }], { signer, message })
  await client.exchange(removal.id).catch(() => {})
  await spread([removal], client, { except: [name] }).catch(() => {})
}

/** What the profile says of a machine. */
export function describeMachine(
  fields: JoinFields,
  where: {
    readonly ssh: { readonly sshTarget: string; readonly port: number; readonly hostKey: string }
    readonly cluster: ClusterId
  },
  before: Profile['machines'][number] | undefined,
): Profile['machines'][number] {
  const { name, nameserver, addresses, place } = fields
  const { ssh, cluster } = where
  return {
    ...before,
    name,
    sshTarget: ssh.sshTarget,
    port: ssh.port === 22 ? undefined : ssh.port,
    hostKey: ssh.hostKey,
    isNameserver: nameserver,
    latitude: place?.latitude,
    longitude: place?.longitude,
    ipv4: addresses.ipv4 ?? undefined,
    ipv6: addresses.ipv6 ?? undefined,
    ...describeMesh(fields, cluster),
  }
}
