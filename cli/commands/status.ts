import { findCluster, listNodes, type OperationId, type SealedThing, shortId } from '../../core/index.ts'
import type { AliasStatus, ConflictSummary, NodeStatus, PlacesStatus } from '../../edge/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { describeStandings } from '../operations/standings.ts'
import { isWell, listVerdicts, tellTrouble } from '../output/health-view.ts'
import type { Style } from '../output/style.ts'
import { formatTable } from '../output/table.ts'
import { count, plainLine } from '../output/text.ts'
import { formatAgo, formatDuration } from '../output/when.ts'
import { countWaiting, formatExchange, MakiCommand } from '../program/base.ts'

interface StatusResult {
  readonly cluster: { readonly id: string; readonly name: string }
  /** The node that answered; null when this is the copy on this computer. */
  readonly answeredBy: string | null
  /** When the copy on this computer was last exchanged; null where a node answered, or it never was. */
  readonly exchangedAt: string | null
  readonly nodes: readonly NodeStatus[]
  readonly pending: readonly OperationId[]
  readonly held: readonly OperationId[]
  /** When each of them falls due, ISO 8601, by its id. */
  readonly due?: Readonly<Record<string, string>>
  readonly void: readonly { readonly operation: OperationId; readonly reason: string }[]
  readonly unknown: readonly OperationId[]
  readonly conflicts: readonly ConflictSummary[]
  /** Secrets, by their names, that a removed machine may know. */
  readonly exposed: readonly SealedThing[]
  /** What the store of the node that answered lost and has not pulled again yet. */
  readonly damaged?: { readonly readable: number; readonly lost: number; readonly gone?: true }
  /** What the targets of ALIAS records resolve to at the node that answered. */
  readonly aliases?: readonly AliasStatus[]
  /** How the node that answered knows where clients are. */
  readonly places?: PlacesStatus
  /** Own operations on this computer that no node has yet. */
  readonly waiting: readonly OperationId[]
}

export default class Status extends MakiCommand<StatusResult> {
  static override summary = 'Show the nodes, whether they agree, and what waits.'
  static override description =
    'Ends with 1 when a node is down or not well, nodes differ, or concurrent edits conflict; with 3 when no node answers.'
  static override examples = ['maki status', 'maki status --json', 'maki status --node berlin']

  override async run(): Promise<StatusResult> {
    const { flags } = await this.parse(Status)
    await using client = await this.openClient(flags)
    const reached = await client.reach()
    const waiting = (await client.listWaiting()).map(({ id }) => id)
    if (reached !== undefined) {
      const { self, ...status } = reached.status
      const answeredBy = status.nodes.find(({ key }) => key === self)?.name ?? reached.machine.name
      if (!isHealthy(status)) this.exitCode = 1
      return { ...status, answeredBy, exchangedAt: null, waiting }
    }
    if (!client.isOffline) {
      this.caution(client.unreachableError().message)
      this.exitCode = 3
    }
    const { exchangedAtMs } = client.local.exchange
    const exchangedAt = exchangedAtMs === undefined ? null : new Date(exchangedAtMs).toISOString()
    return { ...readCopy(client), answeredBy: null, exchangedAt, waiting }
  }

  protected format(told: StatusResult, style: Style): string {
    const status = cleanNames(told)
    const name = status.cluster.name === '' ? 'unknown' : plainLine(status.cluster.name)
    const exchangedAtMs = status.exchangedAt === null ? undefined : Date.parse(status.exchangedAt)
    const source =
      status.answeredBy === null
        ? `from the copy on this computer, ${formatExchange(exchangedAtMs, this.host.runtime.now())}`
        : `from ${status.answeredBy}`
    const parts = [`${style.bold(name)} (${shortId(status.cluster.id)}), ${source}`, formatNodes(status, style)]
    const lines = listFindings(status, this.host.runtime.now(), style)
    if (lines.length > 0) parts.push(lines.join('\n'))
    return parts.join('\n\n')
  }
}

/** Words of nodes, which may lie, as they may stand on a terminal. */
function cleanNames(status: StatusResult): StatusResult {
  const clean = (text: string | null): string | null => (text === null ? null : plainLine(text))
  const nodes = status.nodes.map(
    (node): NodeStatus => ({
      ...node,
      name: plainLine(node.name),
      digest: clean(node.digest),
      version: clean(node.version),
    }),
  )
  return { ...status, answeredBy: clean(status.answeredBy), nodes }
}

type Findings = Pick<StatusResult, 'nodes' | 'conflicts' | 'damaged'>

const isHealthy = ({ nodes, conflicts, damaged }: Findings): boolean =>
  damaged === undefined &&
  nodes.every(
    (node) => node.up && node.unservable.length === 0 && node.damagedBlobs === 0 && isWell(node) && !isTroubled(node),
  ) &&
  new Set(nodes.map(({ digest }) => digest)).size <= 1 &&
  conflicts.length === 0

const isTroubled = (node: NodeStatus): boolean => tellTrouble(node).some(({ level }) => level === 'wrong')

/** What this computer knows by itself: which nodes there are, not how they are. */
function readCopy(client: ClusterClient): Omit<StatusResult, 'answeredBy' | 'exchangedAt' | 'waiting'> {
  const { replica } = client.local
  const name = findCluster(replica.state)?.name ?? ''
  return {
    cluster: { id: client.profile.cluster, name },
    nodes: listNodes(replica.state).map((node) => ({
      key: node.key,
      name: node.name,
      up: false,
      digest: null,
      heads: [],
      lagMs: null,
      version: null,
      active: {},
      merged: {},
      unservable: [],
      damagedBlobs: 0,
    })),
    ...describeStandings(replica),
  }
}

function formatNodes({ nodes, answeredBy }: StatusResult, style: Style): string {
  if (nodes.length === 0) return 'No node is known.'
  const most = mostCommon(nodes.flatMap(({ digest }) => digest ?? []))
  const lines = nodes.map((node) => [
    node.name,
    answeredBy === null ? style.dim('not asked') : node.up ? style.good('up') : style.bad('down'),
    formatDigest(node, most, style),
    answeredBy === null ? '-' : formatLag(node.lagMs),
    answeredBy !== null && node.up ? count(Object.keys(node.active).length, 'site') : '-',
    node.version ?? '-',
  ])
  return formatTable(lines, ['NODE', '', 'STATE', 'HEARD', 'SERVES', 'VERSION'].map(style.bold), style.columns)
}

function formatDigest({ digest, up }: NodeStatus, most: string | undefined, style: Style): string {
  if (digest === null) return '-'
  return digest === most || !up ? digest : style.warn(`${digest} differs`)
}

/** Sealing again would not help: whoever knew a secret knows it still. */
function listExposures(exposed: readonly SealedThing[], style: Style): string[] {
  const lines = exposed.map((what) => `${style.bad('exposed')} ${plainLine(nameSecret(what))}`)
  if (lines.length > 0)
    lines.push(
      'A machine that was removed may know what is exposed: change it where it comes from, then set it here again.',
    )
  return lines
}

function nameSecret(what: SealedThing): string {
  switch (what.kind) {
    case 'certificate':
      return `private key of the certificate ${what.name} (cert import, with a new key)`
    case 'revocation':
      return `private key of a replaced certificate of ${what.name} (the nodes have it revoked)`
    case 'account':
      return `account at ${what.directory}`
    case 'env':
      return `${what.name} of ${what.component} at ${what.domain} (change it, then sync)`
    default:
      return what satisfies never
  }
}

function formatLag(lagMs: number | null): string {
  if (lagMs === null) return 'never'
  const words = formatDuration(lagMs)
  return words === undefined ? 'now' : `${words} ago`
}

function mostCommon(texts: readonly string[]): string | undefined {
  const groups = [...Map.groupBy(texts, (text) => text)]
  return groups.sort((a, b) => b[1].length - a[1].length)[0]?.[0]
}

function listFindings(status: StatusResult, nowMs: number, style: Style): string[] {
  const { conflicts, pending, held, unknown, waiting } = status
  const lines = conflicts.map(
    ({ key, winner, losers }) =>
      `${style.warn('conflict')} at ${plainLine(key)}: ${shortId(winner)} won over ${losers.map(shortId).join(', ')}`,
  )
  const merged = new Set(status.nodes.flatMap(({ up, merged }) => (up ? Object.keys(merged) : [])))
  for (const domain of merged)
    lines.push(
      `merged ${plainLine(domain)}: its releases are served as one; maki release merge ${plainLine(domain)} keeps it so`,
    )
  if (status.damaged !== undefined) {
    const { readable, lost, gone } = status.damaged
    const what =
      gone === true ? 'its store was gone' : `its store was damaged: ${count(lost, 'operation')} lost, ${readable} kept`
    lines.push(
      `${style.bad('damaged')} ${status.answeredBy ?? 'this computer'}: ${what}; it signs nothing before it has compared with another node`,
    )
    if (!status.nodes.some(({ up, name }) => up && name !== status.answeredBy))
      lines.push(
        'If no other node has what was lost: make the file accept-loss in its data folder, and start it again.',
      )
  }
  lines.push(...listVerdicts(status.nodes, style), ...listTroubles(status.nodes, style))
  lines.push(...listBlobFindings(status.nodes, style))
  lines.push(...listAliasFindings(status.aliases ?? [], nowMs, style))
  const placesAt = status.answeredBy === null ? 'places' : `places ${status.answeredBy}`
  for (const fault of status.places?.faults ?? []) lines.push(`${style.warn(placesAt)}: ${plainLine(fault)}`)
  for (const { operation, reason } of status.void)
    lines.push(`${style.warn('void')} ${shortId(operation)}: ${plainLine(reason)}`)
  lines.push(...listExposures(status.exposed, style))
  for (const id of held) {
    const at = status.due?.[id]
    const when = at === undefined ? '' : ` until ${at} (${formatAgo(Date.parse(at), nowMs)})`
    lines.push(`${style.warn('held')} ${shortId(id)}${when}: its time lies ahead of the clock there`)
  }
  const amounts: [readonly unknown[], string][] = [
    [pending, 'wait for operations that are not here'],
    [unknown, 'are of a newer version'],
  ]
  for (const [list, what] of amounts) if (list.length > 0) lines.push(`${count(list.length, 'operation')} ${what}`)
  if (waiting.length > 0) lines.push(`${countWaiting(waiting.length)} on this computer: maki push`)
  return lines
}

const listTroubles = (nodes: readonly NodeStatus[], style: Style): string[] =>
  nodes.flatMap((node) =>
    tellTrouble(node).map(({ level, message }) => {
      const word = level === 'wrong' ? style.bad('trouble') : style.warn('note')
      return `${word} ${node.name}: ${message}`
    }),
  )

/** What nodes lack to serve what they should. */
function listBlobFindings(nodes: readonly NodeStatus[], style: Style): string[] {
  const lines: string[] = []
  const unservable = nodes.flatMap(({ name, up, unservable }) =>
    up ? unservable.map((item) => ({ ...item, name })) : [],
  )
  for (const [, group] of Map.groupBy(unservable, ({ domain, release }) => `${domain} ${release}`)) {
    const [first] = group
    if (first === undefined) continue
    const { domain, release, missing, reason } = first
    const why = reason === undefined ? `no node has ${count(missing, 'blob')} of it` : plainLine(reason)
    const where = group.map(({ name }) => name).join(', ')
    lines.push(
      `${style.bad('unservable')} ${plainLine(domain)} ${shortId(release)} on ${where}: ${why}; the release before stays`,
    )
  }
  for (const { name, up, damagedBlobs } of nodes) {
    if (up && damagedBlobs > 0)
      lines.push(
        `${style.bad('damaged')} ${name}: ${count(damagedBlobs, 'file')} on its disk; they are fetched from the other nodes`,
      )
  }
  return lines
}

/** Targets that cannot be looked up, and addresses that are withheld from visitors. */
function listAliasFindings(aliases: readonly AliasStatus[], nowMs: number, style: Style): string[] {
  return aliases.flatMap(({ target, ipv4, ipv6, failing, refused }) => {
    const kept = ipv4.length + ipv6.length > 0 ? '; what it had is still answered' : ''
    const since = failing === null ? '' : formatAgo(Date.parse(failing.since), nowMs)
    return [
      ...(failing === null
        ? []
        : [`${style.warn('alias')} ${plainLine(target)}: ${plainLine(failing.reason)} (first seen ${since})${kept}`]),
      ...(refused.length === 0
        ? []
        : [
            `${style.warn('alias')} ${plainLine(target)}: not public, and not answered: ${refused.map(plainLine).join(', ')}`,
          ]),
    ]
  })
}
