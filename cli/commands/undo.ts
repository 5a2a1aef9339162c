import { Args, Flags } from '@oclif/core'
import {
  compileUndo,
  findWriterWithout,
  listUndoKeys,
  MakiError,
  type Operation,
  type OperationId,
  type SkippedKey,
  shortId,
  type UndoPlan,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { resolvePrefix } from '../operations/resolve-prefix.ts'
import { readWritten } from '../operations/written.ts'
import { canonicalValue } from '../output/canonical-value.ts'
import { describeChange, describeOperation } from '../output/describe-change.ts'
import { nameMember } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { plainLine } from '../output/text.ts'
import { formatValue } from '../output/value-words.ts'
import { formatAgo } from '../output/when.ts'
import { messageFlag } from '../program/arguments.ts'
import { MakiCommand } from '../program/base.ts'
import { requireBlobs } from '../release/require-blobs.ts'

interface UndoResult {
  /** What was taken back. */
  readonly undone: OperationId
  /** The operation that does it; null where nothing was written. */
  readonly operation: OperationId | null
  readonly dryRun: boolean
  /** What was written, or would be, in words. */
  readonly words: readonly string[]
  /** Values by key; null is absent. */
  readonly restored: readonly { readonly key: string; readonly from: unknown; readonly to: unknown }[]
  readonly skipped: readonly SkippedView[]
  readonly node: string | null
}

interface SkippedView {
  readonly key: string
  readonly reason: SkippedKey['reason']
  readonly why: string
  /** The operation that is in the way. */
  readonly by: OperationId | null
}

export default class Undo extends MakiCommand<UndoResult> {
  static override summary = 'Take one operation back and keep the later ones.'
  static override description =
    'Every value that the operation wrote and that nobody has written since becomes what it was. What others wrote since stays, and is named. It is a new operation, which can be taken back in the same way. Ends with 1 when nothing is left to take back.'
  static override examples = ['maki undo k3v7q2mdda', 'maki undo k3v7 --dry-run', 'maki undo k3v7 -m "wrong address"']
  static override args = {
    operation: Args.string({ required: true, ignoreStdin: true, description: 'Its id, or the beginning of it.' }),
  }
  static override flags = {
    message: messageFlag,
    'dry-run': Flags.boolean({ summary: 'Only show what would go back and what would stay.' }),
  }

  override async run(): Promise<UndoResult> {
    const { args, flags } = await this.parse(Undo)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const signer = flags['dry-run'] ? undefined : await client.requireSigner()
    const operation = await readOperation(replica, args.operation)
    const plan = await planUndo(replica, operation)
    const skipped = await Promise.all(plan.skipped.map((each) => this.#describe(client, each)))
    const result = {
      undone: operation.id,
      dryRun: flags['dry-run'],
      words: plan.changes.map(describeChange),
      restored: plan.restored.map(({ key, from, to }) => ({ key, from: canonicalValue(from), to: canonicalValue(to) })),
      skipped,
    }
    if (plan.changes.length === 0) this.exitCode = 1
    if (plan.changes.length === 0 || signer === undefined) return { ...result, operation: null, node: null }
    await requireBlobs(client, plan.changes)
    const message = flags.message ?? `undo ${shortId(operation.id)}: ${firstWords(operation)}`
    const made = await client.commit(plan.changes, { signer, message })
    const report = await this.send(client, made.id)
    return { ...result, operation: made.id, node: report.machine ?? null }
  }

  protected format({ undone, operation, dryRun, words, skipped, node }: UndoResult, style: Style): string {
    const stays = skipped.map(({ key, why }) => `  ${style.warn('stays')} ${plainLine(key)}: ${why}`)
    if (words.length === 0) return [`Nothing of ${shortId(undone)} is left to take back.`, ...stays].join('\n')
    const head = dryRun
      ? `Would take back ${shortId(undone)}; nothing was written:`
      : `${style.good('Took back')} ${shortId(undone)} by ${shortId(operation ?? '')}${node === null ? '' : ` (at ${node})`}:`
    return [head, ...words.map((line) => `  ${line}`), ...stays].join('\n')
  }

  async #describe({ local, state }: ClusterClient, { key, reason, by }: SkippedKey): Promise<SkippedView> {
    const other = by === undefined ? undefined : await local.replica.read(by)
    const ago = other === undefined ? '' : `, ${formatAgo(other.stamp.wallMs, this.host.runtime.now())}`
    const who =
      other === undefined ? 'another operation' : `${nameMember(state, other.author)} (${shortId(other.id)}${ago})`
    const present = formatValue(key, local.replica.frontier(key)[0]?.value)
    const why = {
      rewritten: `${who} wrote it: ${present}`,
      inhabited: `${who} wrote in it, which would go with it`,
      claimed: `the host has gone to another domain by ${who}`,
      'first-release': 'there is no release before it; maki sync publishes another',
      purged: `the release before it was purged by ${who}`,
      fixed: 'what was never there before cannot be taken away',
    }[reason]
    return { key, reason, why, by: by ?? null }
  }
}

/** What taking an operation back comes to at a replica. Throws MAKI_OPERATION_REFUSED for what undo does not do. */
async function planUndo(replica: Pick<Replica, 'fold' | 'read'>, operation: Operation): Promise<UndoPlan> {
  const { fold } = replica
  const wanted = listUndoKeys(operation, fold).flatMap((key) => {
    const id = findWriterWithout(fold, key, (other) => other === operation.id)
    return id === undefined ? [] : [[key, id] as const]
  })
  const before = await readWritten(replica, wanted)
  return compileUndo(operation, fold, (key) => before.get(key))
}

async function readOperation(replica: Replica, typed: string): Promise<Operation> {
  const id = resolvePrefix(typed, replica.ids(), 'operation')
  const operation = await replica.read(id)
  if (operation === undefined) throw new MakiError('MAKI_NOT_FOUND', `there is no operation ${typed}`)
  const standing = replica.explain(id)
  if (standing.status === 'void') {
    throw new MakiError('MAKI_NO', `${shortId(id)} does not count, so there is nothing to take back`, {
      hint: standing.reason,
    })
  }
  if (standing.status === 'held' || standing.status === 'pending') {
    throw new MakiError('MAKI_OPERATION_REFUSED', `${shortId(id)} has no effect yet, so it cannot be taken back`, {
      hint: standing.status === 'held' ? 'Its time lies ahead of this clock: check both clocks.' : 'maki pull',
    })
  }
  return operation
}

function firstWords(operation: Operation): string {
  const [first = '', ...more] = describeOperation(operation)
  const words = operation.message.split('\n')[0] || `${first}${more.length === 0 ? '' : ', …'}`
  return words.length > 100 ? `${words.slice(0, 100)}…` : words
}
