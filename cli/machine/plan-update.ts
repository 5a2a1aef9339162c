import { isIP } from 'node:net'
import { type ChangeOf, type ClusterId, MakiError, meshAddress, type NodeView } from '../../core/index.ts'
import { isPublicAddress } from '../../dns/index.ts'
import type { Machine } from '../config/index.ts'
import { splitEndpoint } from '../peer/read-endpoint.ts'
import { readNodeEndpoint } from './read-node-endpoint.ts'
import { canonicalIpv6, type MachineUpdate } from './read-update.ts'

/** What `maki machine set` writes. */
export interface UpdatePlan {
  /** Undefined where the cluster has all of it so already. */
  readonly change: ChangeOf<'node.update'> | undefined
  /** The node as it is then; undefined for a machine that is no node. */
  readonly node: NodeView | undefined
  /** The entry of the profile; undefined where it has none, or stays as it is. */
  readonly machine: Machine | undefined
  /** What a person should look at. */
  readonly cautions: readonly string[]
}

interface Present {
  readonly name: string
  readonly machine: Machine | undefined
  readonly node: NodeView | undefined
  /** All nodes of the cluster. */
  readonly nodes: readonly NodeView[]
  readonly cluster: ClusterId
}

/**
 * Plans an update: only what is another than before is written. Pure. Throws MAKI_USAGE for what cannot be (half a place, no
 * address left, a name server with a name that host names cannot have, an SSH target without an entry of the profile),
 * MAKI_CONFLICT for an address of another node, MAKI_NOT_FOUND where the cluster does not know the machine, MAKI_UNSUPPORTED for
 * where WireGuard reaches one without it.
 */
export function planUpdate({ name, machine, node, nodes, cluster }: Present, update: MachineUpdate): UpdatePlan {
  const { sshTarget, port, ...ofNode } = update
  if (machine === undefined && (sshTarget !== undefined || port !== undefined))
    throw new MakiError('MAKI_USAGE', `${name} has no entry in this profile that could be changed`, {
      hint: 'maki machine add USER@HOST writes one.',
    })
  if (machine?.control !== undefined && machine.sshTarget === undefined && (sshTarget ?? port) !== undefined)
    throw new MakiError('MAKI_USAGE', `${name} runs on this computer under maki dev: it is not reached over SSH`, {
      hint: 'Leave --ssh-target and --port out.',
    })
  if (node === undefined && Object.keys(ofNode).length > 0)
    throw new MakiError('MAKI_NOT_FOUND', `${name} is no node of the cluster`, {
      hint: `maki machine remove ${name} takes it out of the profile.`,
    })
  const next = node === undefined ? undefined : updateNode(node, ofNode, cluster)
  const cautions = node === undefined || next === undefined ? [] : checkNode(node, next, nodes)
  const set = node === undefined || next === undefined ? {} : diffNode(node, next)
  const entry = machine === undefined ? undefined : updateEntry(machine, update, next, cluster)
  return {
    change:
      node === undefined || Object.keys(set).length === 0 ? undefined : { kind: 'node.update', key: node.key, set },
    node: next,
    machine: entry === undefined || isSameEntry(entry, machine) ? undefined : entry,
    cautions,
  }
}

function updateNode(node: NodeView, update: MachineUpdate, cluster: ClusterId): NodeView {
  const { ipv4, ipv6, latitude, longitude, nameserver, endpoint } = update
  const lat = latitude ?? node.place?.latitude
  const lon = longitude ?? node.place?.longitude
  if ((lat === undefined) !== (lon === undefined))
    throw new MakiError('MAKI_USAGE', `nobody knows where ${node.name} stands, and half a place says nothing`, {
      hint: 'Give both: --lat 52.37 --lon 4.90',
    })
  if (endpoint !== undefined && node.mesh === null)
    throw new MakiError('MAKI_UNSUPPORTED', `${node.name} takes no part in the mesh, so nobody reaches it there`, {
      hint: `A version that has it joins by itself: maki machine upgrade ${node.name}`,
    })
  return {
    ...node,
    ipv4: ipv4 === undefined ? node.ipv4 : ipv4,
    ipv6: ipv6 === undefined ? node.ipv6 : ipv6,
    place: lat === undefined || lon === undefined ? null : { latitude: lat, longitude: lon },
    nameserver: nameserver ?? node.nameserver,
    mesh: endpoint === undefined || node.mesh === null ? node.mesh : readNodeEndpoint(endpoint, node.mesh, cluster),
  }
}

/** Cautions; throws for what cannot be. Only what is new is looked at. */
function checkNode(before: NodeView, after: NodeView, nodes: readonly NodeView[]): string[] {
  if (after.ipv4 === null && after.ipv6 === null && (before.ipv4 ?? before.ipv6) !== null)
    throw new MakiError('MAKI_USAGE', `${after.name} would have no address left, and nobody could reach it`, {
      hint: `Give it another one, or: maki machine drain ${after.name}`,
    })
  if (after.nameserver && !before.nameserver) checkServerName(after.name)
  const fresh = [
    ...(after.ipv4 === before.ipv4 ? [] : [after.ipv4]),
    ...(after.ipv6 === before.ipv6 ? [] : [after.ipv6]),
  ].filter((address) => address !== null)
  for (const address of fresh) {
    const other = nodes.find(({ key, ipv4, ipv6 }) => key !== after.key && hasAddress(address, ipv4, ipv6))
    if (other !== undefined)
      throw new MakiError('MAKI_CONFLICT', `${address} is the address of ${other.name}`, {
        hint: `Where it moved, first give that another one: maki machine set ${other.name} --${other.ipv4 === address ? 'ipv4' : 'ipv6'} ADDRESS`,
      })
  }
  const cautions = fresh.flatMap((address) =>
    isPublicAddress(address)
      ? []
      : [`${address} is not public: only who is in the same network reaches ${after.name} there`],
  )
  return [...cautions, ...checkEndpoint(before, after, nodes)]
}

/** What may not be meant of where others reach its WireGuard. */
function checkEndpoint(before: NodeView, after: NodeView, nodes: readonly NodeView[]): string[] {
  const endpoint = after.mesh?.endpoint
  const isMoved = before.ipv4 !== after.ipv4 || before.ipv6 !== after.ipv6
  if (endpoint === before.mesh?.endpoint) {
    return endpoint === undefined || !isMoved
      ? []
      : [
          endpoint === null
            ? `the other machines still do not begin connections to ${after.name}: --endpoint default lets them`
            : `the other machines still reach ${after.name} at ${endpoint}: --endpoint default lets that follow its addresses`,
        ]
  }
  if (endpoint === null) {
    const deaf = nodes.filter(({ key, mesh }) => key !== after.key && mesh?.endpoint === null).map(({ name }) => name)
    return deaf.length === 0
      ? []
      : [`nobody can reach ${deaf.join(', ')} first either: they and ${after.name} hear of each other by the others`]
  }
  const { host } = splitEndpoint(endpoint ?? '')
  return isIP(host) === 0 || isPublicAddress(host)
    ? []
    : [`${host} is not public: only machines in the same network reach ${after.name} there`]
}

const hasAddress = (address: string, ipv4: string | null, ipv6: string | null): boolean =>
  address === ipv4 || (ipv6 !== null && address === canonicalIpv6(ipv6))

/** A name server's name is a host name (RFC 952, RFC 1123 section 2.1): resolvers and registries refuse others. */
export function checkServerName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name)) return
  throw new MakiError(
    'MAKI_USAGE',
    `${name} cannot be a name server: its name has more than letters, digits and hyphens`,
    {
      hint: 'Resolvers would not take NS records with it. Set the machine up under another name.',
    },
  )
}

function diffNode(before: NodeView, after: NodeView): ChangeOf<'node.update'>['set'] {
  const isMoved = before.ipv4 !== after.ipv4 || before.ipv6 !== after.ipv6
  const [was, is] = [before.place, after.place]
  return {
    ...(isMoved ? { addresses: { ipv4: after.ipv4, ipv6: after.ipv6 } } : {}),
    ...(was?.latitude === is?.latitude && was?.longitude === is?.longitude ? {} : { place: is }),
    ...(before.nameserver === after.nameserver ? {} : { nameserver: after.nameserver }),
    ...(after.mesh === null || before.mesh?.endpoint === after.mesh.endpoint ? {} : { mesh: after.mesh }),
  }
}

/** The profile repeats what the cluster knows, for who reads it. */
function updateEntry(
  machine: Machine,
  { sshTarget, port }: MachineUpdate,
  node: NodeView | undefined,
  cluster: ClusterId,
): Machine {
  return {
    ...machine,
    ...(sshTarget === undefined ? {} : { sshTarget }),
    ...(port === undefined ? {} : { port }),
    ...(node === undefined
      ? {}
      : {
          isNameserver: node.nameserver,
          ipv4: node.ipv4 ?? undefined,
          ipv6: node.ipv6 ?? undefined,
          latitude: node.place?.latitude,
          longitude: node.place?.longitude,
          ...describeMesh(node, cluster),
        }),
  }
}

/** What the profile says of a node in the mesh. Pure. */
export const describeMesh = ({ mesh }: Pick<NodeView, 'mesh'>, cluster: ClusterId) => ({
  wgPublicKey: mesh?.publicKey,
  wgAddress: mesh === null ? undefined : meshAddress(cluster, mesh.publicKey),
})

const isSameEntry = (a: Machine, b: Machine | undefined): boolean =>
  b !== undefined && (Object.keys({ ...a, ...b }) as (keyof Machine)[]).every((field) => a[field] === b[field])
