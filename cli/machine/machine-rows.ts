import { type ClusterId, type MemberKey, meshAddress, type NodeView } from '../../core/index.ts'
import type { NodeStatus } from '../../edge/index.ts'
import type { NamedMachine } from './choose-machines.ts'

/** A machine as `maki machine list` shows it. */
export interface MachineRow {
  readonly name: string
  /** Null where the cluster has no such node. */
  readonly key: MemberKey | null
  /** Where it is reached: an SSH target, `this computer`, or null where the profile lacks it. */
  readonly where: string | null
  /** Whether the node that was asked hears it; null where none was asked, or it is no node. */
  readonly up: boolean | null
  readonly version: string | null
  readonly nameserver: boolean
  readonly drained: boolean
  /** Degrees. */
  readonly place: { readonly latitude: number; readonly longitude: number } | null
  readonly ipv4: string | null
  readonly ipv6: string | null
  readonly mesh: ShownMesh | null
  /** How old the last word from it is, milliseconds; null where it was never heard. */
  readonly lagMs: number | null
  /** What does not fit, and what to type; null where profile and cluster agree. */
  readonly advice: string | null
}

/** How a machine takes part in the mesh. */
export interface ShownMesh {
  readonly address: string
  readonly publicKey: string
  /** UDP. */
  readonly port: number
  /** `host:port`; `none` where nobody can reach it first; null: its public addresses. */
  readonly endpoint: string | null
}

export const HERE = 'this computer'

/** Null for a node that takes no part. Pure. */
export function showMesh({ mesh }: Pick<NodeView, 'mesh'>, cluster: ClusterId): ShownMesh | null {
  if (mesh === null) return null
  const { publicKey, port, endpoint } = mesh
  return {
    address: meshAddress(cluster, publicKey),
    publicKey,
    port,
    endpoint: endpoint === undefined ? null : (endpoint ?? 'none'),
  }
}

/** Rows of all machines; `statuses` are empty where no node was asked. Pure. */
export function buildMachineRows(
  machines: readonly NamedMachine[],
  statuses: readonly NodeStatus[],
  cluster: ClusterId,
): readonly MachineRow[] {
  const byKey = new Map(statuses.map((status) => [status.key, status]))
  return machines.map(({ name, machine, node }): MachineRow => {
    const status = node === undefined ? undefined : byKey.get(node.key)
    const place =
      node?.place ??
      (machine?.latitude === undefined || machine.longitude === undefined
        ? null
        : { latitude: machine.latitude, longitude: machine.longitude })
    return {
      name,
      key: node?.key ?? null,
      where: machine === undefined ? null : (machine.sshTarget ?? HERE),
      up: status?.up ?? null,
      version: status?.version ?? null,
      nameserver: node?.nameserver ?? machine?.isNameserver ?? false,
      drained: node?.drained ?? false,
      place,
      ipv4: node === undefined ? (machine?.ipv4 ?? null) : node.ipv4,
      ipv6: node === undefined ? (machine?.ipv6 ?? null) : node.ipv6,
      mesh: node === undefined ? null : showMesh(node, cluster),
      lagMs: status?.lagMs ?? null,
      advice: advise(name, machine !== undefined, node !== undefined),
    }
  })
}

function advise(name: string, isInProfile: boolean, isNode: boolean): string | null {
  if (isInProfile && isNode) return null
  return isInProfile
    ? `${name} is no node of the cluster: maki machine remove ${name} takes it off its server and out of the profile`
    : `${name} is not in this profile: maki machine add USER@HOST writes it there`
}
