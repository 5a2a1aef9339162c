import { Flags } from '@oclif/core'
import { type Conflict, type Key, type Operation, type OperationId, shortId } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { type MissedMachine, spreadAll } from '../client/spread.ts'
import { listUnheard, planPush } from '../operations/push-plan.ts'
import { canonicalValue } from '../output/canonical-value.ts'
import { formatOperation, nameMember, type OperationView, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { tellMissed } from '../output/tell-missed.ts'
import { count, plainLine } from '../output/text.ts'
import { formatValue } from '../output/value-words.ts'
import { MakiCommand } from '../program/base.ts'

/** What becomes of one operation that waits. */
interface PushRow extends OperationView {
  /** Concurrent changes of the same keys: which side's value stands, and whose the other is. */
  readonly conflicts: readonly {
    readonly key: string
    readonly wins: boolean
    readonly other: OperationId
    readonly otherAuthor: string
  }[]
}

interface PushResult {
  readonly node: string
  readonly dryRun: boolean
  /** How many operations came in the exchange. */
  readonly pulled: number
  readonly operations: readonly PushRow[]
  /** Refused by the node; they wait still. */
  readonly waiting: readonly OperationId[]
  /** Machines that lacked something, and were brought it. */
  readonly brought: readonly string[]
  /** Machines that could not be looked at, or did not take it. */
  readonly missed: readonly MissedMachine[]
  /** What becomes of the nodes' state, by key; null is absent. With --dry-run only. */
  readonly changed?: readonly { readonly key: Key; readonly before: unknown; readonly after: unknown }[]
  /** Operations of others that turn void or count again, since members come and go. With --dry-run only. */
  readonly becomeVoid?: readonly { readonly operation: OperationId; readonly reason: string }[]
  readonly becomeCounted?: readonly OperationId[]
}

export default class Push extends MakiCommand<PushResult> {
  static override summary = 'Hand over the operations that wait on this computer.'
  static override description =
    'Then every machine of the profile is asked by itself, and is brought what it lacks, for those that do not hear each other. With --dry-run nothing is handed over: it shows what would win and lose against what others wrote meanwhile.'
  static override examples = ['maki push --dry-run', 'maki push']
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Only show what waits and what would become of it.' }),
  }

  override async run(): Promise<PushResult> {
    const { flags } = await this.parse(Push)
    await using client = await this.openClient(flags)
    const { machine } = await client.requireReach()
    const pulled = (await client.pull()) ?? []
    const made = listUnheard(client.local.replica.fold, await client.listWaiting())
    const operations = made.map((operation) => judge(operation, client))
    const base = { node: machine.name, pulled: pulled.length, operations }
    if (flags['dry-run']) {
      const plan = await planPush(client.local.replica, made)
      return {
        ...base,
        dryRun: true,
        brought: [],
        missed: [],
        waiting: made.map(({ id }) => id),
        changed: plan.changed.map(({ key, before, after }) => ({
          key,
          before: canonicalValue(before),
          after: canonicalValue(after),
        })),
        becomeVoid: plan.becomeVoid,
        becomeCounted: plan.becomeCounted,
      }
    }
    const report = await client.exchange()
    if (report.machine === undefined) throw client.unreachableError()
    if (report.waiting.length > 0) this.exitCode = 4
    const { taken, missed } = await spreadAll(client, { except: [machine.name] })
    for (const text of tellMissed(missed)) this.caution(text)
    return { ...base, dryRun: false, waiting: report.waiting.map(({ id }) => id), brought: taken, missed }
  }

  protected format(result: PushResult, style: Style): string {
    const { node, dryRun, operations, waiting, brought } = result
    const also = brought.length === 0 ? [] : [`Brought what they lacked to ${brought.map(plainLine).join(', ')}.`]
    if (operations.length === 0) return ['Nothing waits here.', ...also].join('\n')
    const now = this.host.runtime.now()
    const rows = operations.map((row) =>
      [formatOperation(row, now, style), ...row.conflicts.map((side) => formatSide(side, style))].join('\n'),
    )
    const handed = operations.length - waiting.length
    const head = dryRun
      ? `Would hand over ${count(operations.length, 'operation')} to ${node}`
      : `${style.good('Handed over')} ${count(handed, 'operation')} to ${node}`
    return [`${head}:`, ...rows, ...listEffects(result, style), ...also].join('\n\n')
  }
}

/** What a dry run says of the nodes' state, in blocks. */
function listEffects({ changed = [], becomeVoid = [], becomeCounted = [] }: PushResult, style: Style): string[] {
  const lines = changed.map(
    ({ key, before, after }) =>
      `  ${plainLine(key)}: ${formatValue(key, before ?? undefined)} -> ${formatValue(key, after ?? undefined)}`,
  )
  const members = [
    ...becomeVoid.map(({ operation, reason }) => `  ${style.bad('turns void')} ${shortId(operation)}: ${reason}`),
    ...becomeCounted.map((operation) => `  ${style.warn('counts again')} ${shortId(operation)}`),
  ]
  return [
    ...(lines.length === 0 ? [] : [['The state would become:', ...lines].join('\n')]),
    ...(members.length === 0 ? [] : [['Of what others wrote:', ...members].join('\n')]),
  ]
}

function judge(operation: Operation, client: ClusterClient): PushRow {
  const { replica } = client.local
  return {
    // What waits before a push is all that is shown; saying so of each would only be noise.
    ...viewOperation(operation, replica, new Set()),
    conflicts: replica.conflicts().flatMap((conflict) => findSide(conflict, operation.id, client)),
  }
}

function findSide({ key, winner, losers }: Conflict, id: OperationId, client: ClusterClient): PushRow['conflicts'] {
  const other =
    winner.operation === id ? losers[0] : losers.some((loser) => loser.operation === id) ? winner : undefined
  if (other === undefined) return []
  return [
    { key, wins: winner.operation === id, other: other.operation, otherAuthor: nameMember(client.state, other.author) },
  ]
}

function formatSide({ key, wins, otherAuthor }: PushRow['conflicts'][number], style: Style): string {
  return wins
    ? `  ${style.good('wins')} over what ${otherAuthor} wrote to ${key}`
    : `  ${style.bad('loses')} to what ${otherAuthor} wrote to ${key}`
}
