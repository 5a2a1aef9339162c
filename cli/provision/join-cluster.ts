import {
  announcedSchema,
  type Change,
  findNode,
  listNodes,
  MakiError,
  type MemberKey,
  type NodeName,
  type NodeView,
  SCHEMA,
  type Signer,
  type State,
} from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import type { Profile } from '../config/index.ts'
import type { KnownPlace } from './find-place.ts'
import type { NodeAddresses } from './survey/addresses.ts'

/** Name servers that a cluster is given by itself: as many as registrars like to see. */
const USUAL_NAMESERVERS = 3

export interface JoinFields {
  readonly name: NodeName
  readonly addresses: NodeAddresses
  readonly place: KnownPlace | null
  readonly nameserver: boolean
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
  const { name, addresses, place, nameserver } = fields
  changes.push({
    kind: 'node.join',
    key,
    name,
    addresses: { ipv4: addresses.ipv4, ipv6: addresses.ipv6 },
    place: place === null ? null : { latitude: place.latitude, longitude: place.longitude },
    nameserver,
    drained: false,
    ...(announcedSchema(state) === SCHEMA ? { schema: SCHEMA } : {}),
  })
  return changes
}

/** Lets the node in; resolves with false where it is a member already. */
export async function joinCluster(
  client: ClusterClient,
  signer: Signer,
  key: MemberKey,
  fields: JoinFields,
  before: NodeView | undefined,
): Promise<boolean> {
  if (client.local.replica.findMember(key) !== undefined && !client.local.isMember(key)) {
    throw new MakiError(
      'MAKI_CONFLICT',
      `the node's key ${key} was removed from the cluster, and a removed key never returns`,
      {
        hint: 'Set it up anew, with another key: --recreate',
      },
    )
  }
  const changes = planJoin(client.state, key, fields, before)
  if (changes.length === 0) return false
  const operation = await client.commit(changes, { signer, message: `maki machine init ${fields.name}` })
  await client.exchange(operation.id)
  return true
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
}

/** What the profile says of a machine. */
export function describeMachine(
  fields: JoinFields,
  ssh: { readonly sshTarget: string; readonly port: number; readonly hostKey: string },
  before: Profile['machines'][number] | undefined,
): Profile['machines'][number] {
  const { name, nameserver, addresses, place } = fields
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
  }
}
