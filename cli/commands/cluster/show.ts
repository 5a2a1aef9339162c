import {
  announcedSchema,
  type ClusterId,
  type Digest,
  findCluster,
  listDomains,
  listNodes,
  type MemberKey,
  SCHEMA,
  shortId,
} from '../../../core/index.ts'
import { isPerson, listMembers, type MemberRow } from '../../member/members.ts'
import type { Style } from '../../output/style.ts'
import { formatTable } from '../../output/table.ts'
import { count, plainLine } from '../../output/text.ts'
import { formatAgo } from '../../output/when.ts'
import { MakiCommand } from '../../program/base.ts'

interface ShownCluster {
  readonly id: ClusterId
  readonly name: string
  readonly created: string
  /** Public half of the recovery key. */
  readonly recoveryKey: MemberKey
  readonly operators: readonly MemberRow[]
  readonly nodes: readonly { readonly name: string; readonly key: MemberKey; readonly schema: number }[]
  /** The newest that this program writes, and what authors write: the newest that every node announces. */
  readonly schema: { readonly known: number; readonly written: number }
  readonly counts: {
    readonly operations: number
    readonly void: number
    readonly held: number
    readonly pending: number
    readonly unknown: number
    readonly conflicts: number
    readonly domains: number
  }
  /** Of the copy on this computer; `version` is that of the fold. */
  readonly digest: Digest
}

export default class ClusterShow extends MakiCommand<ShownCluster> {
  static override summary = 'Show what the cluster is: its keys, nodes, versions, and how much there is.'
  static override examples = ['maki cluster show', 'maki cluster show --json']

  override async run(): Promise<ShownCluster> {
    const { flags } = await this.parse(ClusterShow)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const { state } = replica
    const cluster = findCluster(state)
    // `refresh` has thrown where the operation that creates the cluster is not here.
    if (cluster === undefined) throw client.unreachableError()
    return {
      id: client.profile.cluster,
      name: cluster.name,
      created: new Date(cluster.createdMs).toISOString(),
      recoveryKey: cluster.recovery,
      operators: (await listMembers(replica)).filter((row) => isPerson(row) && row.removed === null),
      nodes: listNodes(state).map(({ name, key, schema }) => ({ name, key, schema })),
      schema: { known: SCHEMA, written: announcedSchema(state) },
      counts: {
        operations: replica.count,
        void: replica.voids().length,
        held: replica.held().length,
        pending: replica.pending().length,
        unknown: replica.unknown().length,
        conflicts: replica.conflicts().length,
        domains: listDomains(state).length,
      },
      digest: replica.digest(),
    }
  }

  protected format(shown: ShownCluster, style: Style): string {
    const { counts, schema, digest } = shown
    const people = shown.operators.map(({ name, key, role, domains }) => {
      const what = role === 'deployer' ? ` (deployer of ${domains?.join(', ')})` : ''
      return `${plainLine(name)} ${style.dim(shortId(key))}${what}`
    })
    const operators = people.filter((_, i) => shown.operators[i]?.role !== 'recovery')
    const nodes = shown.nodes.map(({ name, schema: newest }) => `${name} ${style.dim(`schema ${newest}`)}`)
    const rows: [string, string][] = [
      ['cluster', `${style.bold(plainLine(shown.name))} ${shown.id}`],
      ['created', `${shown.created} (${formatAgo(Date.parse(shown.created), this.host.runtime.now())})`],
      ['recovery key', shown.recoveryKey],
      ...listRows('operators', operators),
      ...listRows('nodes', nodes),
      [
        'schema',
        `${schema.written} is written${schema.written < schema.known ? `, ${schema.known} is known here: upgrade the nodes` : ''}`,
      ],
      ['operations', formatCounts(counts)],
      ['domains', String(counts.domains)],
      [
        'digest',
        `${digest.version}-${digest.ids.slice(0, 12)}-${digest.state.slice(0, 12)} (fold version ${digest.version})`,
      ],
    ]
    return formatTable(
      rows.map(([name, value]) => [style.dim(name), value]),
      undefined,
      style.columns,
    )
  }
}

function listRows(name: string, values: readonly string[]): [string, string][] {
  return values.length === 0 ? [[name, 'none']] : values.map((value, i) => [i === 0 ? name : '', value])
}

function formatCounts(counts: ShownCluster['counts']): string {
  const parts = [
    [counts.void, 'void'],
    [counts.held, 'held'],
    [counts.pending, 'waiting for others'],
    [counts.unknown, 'of a newer version'],
  ] as const
  const special = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`)
  if (counts.conflicts > 0) special.push(count(counts.conflicts, 'conflict'))
  return [String(counts.operations), ...special].join(', ')
}
