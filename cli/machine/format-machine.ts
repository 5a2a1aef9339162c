import { tellVerdict } from '../output/health-view.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { formatBytes, plainLine } from '../output/text.ts'
import { formatDuration } from '../output/when.ts'
import type { MachineDescription } from './describe-machine.ts'
import type { ShownMesh } from './machine-rows.ts'

/** Degrees with their hemispheres: `52.37 N 4.90 E`. */
export function formatCoordinates({ latitude, longitude }: { latitude: number; longitude: number }): string {
  const part = (degrees: number, [plus, minus]: readonly [string, string]) =>
    `${Math.abs(degrees).toFixed(2)} ${degrees < 0 ? minus : plus}`
  return `${part(latitude, ['N', 'S'])} ${part(longitude, ['E', 'W'])}`
}

/** How long ago something was heard: `now`, `3 minutes ago`. */
export function formatHeard(lagMs: number): string {
  const words = formatDuration(lagMs)
  return words === undefined ? 'now' : `${words} ago`
}

/** A machine for people, a fact a line. */
export function formatDescription(shown: MachineDescription, style: Style): string {
  const rows = [...listWays(shown), ...listNode(shown), ...listSelf(shown), ...listTunnels(shown), ...listServer(shown)]
  const seen = shown.seen.flatMap(({ by, up, lagMs, health }): [string, string][] => {
    const word = up ? style.good('up') : style.bad('down')
    const heard = lagMs === null ? 'never heard' : `heard ${formatHeard(lagMs)}`
    const told = health.flatMap((verdict) => tellVerdict(verdict) ?? [])
    return [[`seen by ${plainLine(by)}`, [`${word}, ${heard}`, ...told.map(plainLine)].join('; ')]]
  })
  const table = formatTable(
    [...rows, ...seen].map(([name, value]) => [style.dim(name), value]),
    undefined,
    style.columns,
  )
  const faults = shown.faults.map((fault) => `${style.warn('Warning:')} ${plainLine(fault)}`)
  return [style.bold(plainLine(shown.name)), table, ...faults].join('\n')
}

type Row = readonly [string, string]

function listWays({ profile }: MachineDescription): Row[] {
  if (profile === null) return [['where', 'not in this profile: maki machine add USER@HOST']]
  const { sshTarget, port, control, hostKey } = profile
  const way =
    sshTarget === null ? `this computer (${control ?? '-'})` : `${sshTarget}${port === null ? '' : ` port ${port}`}`
  return [
    ['where', plainLine(way)],
    ...(sshTarget === null ? [] : [['host key', hostKey ?? 'not pinned yet'] as const]),
  ]
}

function listNode({ node, name }: MachineDescription): Row[] {
  if (node === null) return [['node', `none of the cluster: maki machine remove ${plainLine(name)}`]]
  const addresses = [node.ipv4, node.ipv6].filter((address) => address !== null)
  return [
    ['key', node.key],
    ['addresses', addresses.join(' ') || 'none'],
    ['place', node.place === null ? 'not known' : formatCoordinates(node.place)],
    ['name server', node.nameserver ? 'yes' : 'no'],
    ['drained', node.drained ? 'yes' : 'no'],
    ...listMesh(node.mesh),
  ]
}

function listMesh(mesh: ShownMesh | null): Row[] {
  if (mesh === null) return [['mesh', 'takes no part']]
  const { address, publicKey, port, endpoint } = mesh
  const where =
    endpoint === null
      ? `its addresses, UDP ${port}`
      : endpoint === 'none'
        ? 'nobody reaches it first'
        : `${plainLine(endpoint)}, UDP`
  return [
    ['mesh address', address],
    ['WireGuard key', publicKey],
    ['endpoint', where],
  ]
}

function listSelf({ self }: MachineDescription): Row[] {
  if (self === null) return []
  const { version, digest, active, unservable } = self
  const sites = Object.keys(active).length
  return [
    ['version', plainLine(version ?? '-')],
    ['state', plainLine(digest ?? '-')],
    [
      'serves',
      `${sites} ${sites === 1 ? 'site' : 'sites'}${unservable.length === 0 ? '' : `, cannot serve ${unservable.length}`}`,
    ],
  ]
}

const BY = { kernel: 'WireGuard of the kernel', userspace: 'wireguard-go' } as const

function listTunnels({ tunnels }: MachineDescription): Row[] {
  if (tunnels === null) return []
  const { kind, interface: name, mtu, peers } = tunnels
  const how = kind === null ? 'none at the moment' : `${plainLine(name)}, ${BY[kind]}, MTU ${mtu ?? '-'}`
  return [
    ['tunnel', how],
    ...peers.map(({ name, endpoint, handshakeAgeMs, silentMs, receivedBytes, sentBytes }): Row => {
      const heard = handshakeAgeMs === null ? 'no handshake yet' : `handshake ${formatHeard(handshakeAgeMs)}`
      const silent = silentMs === null ? undefined : formatDuration(silentMs)
      const words = [
        endpoint === null ? 'nowhere yet' : plainLine(endpoint),
        heard,
        ...(silent === undefined ? [] : [`silent for ${silent}`]),
        `${formatBytes(receivedBytes)} in, ${formatBytes(sentBytes)} out`,
      ]
      return [`tunnel to ${plainLine(name)}`, words.join(', ')]
    }),
  ]
}

function listServer({ server }: MachineDescription): Row[] {
  if (server === null) return []
  const { running, versions, unit, processor } = server
  const others = versions.filter((version) => version !== running).map((version) => version.slice(0, 12))
  const restarts = unit.restarts === 0 ? '' : `, restarted ${unit.restarts} times by systemd`
  return [
    ['service', `${unit.active} (${unit.sub})${unit.since === null ? '' : ` since ${unit.since}`}${restarts}`],
    ['runs', running === undefined ? 'nothing' : running.slice(0, 12)],
    ['keeps', others.join(' ') || 'no other version'],
    ['processor', processor],
  ]
}
