import { Args } from '@oclif/core'
import { formatStamp, type Key, listUndoKeys, type Operation, type OperationId } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { readMemberNames } from '../member/member-names.ts'
import { resolvePrefix } from '../operations/resolve-prefix.ts'
import { readWritten } from '../operations/written.ts'
import { canonicalValue } from '../output/canonical-value.ts'
import { formatOperation, type OperationView, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { plainLine } from '../output/text.ts'
import { formatDifference, formatValue } from '../output/value-words.ts'
import { MakiCommand } from '../program/base.ts'

interface ShownOperation extends OperationView {
  readonly stamp: string
  readonly heads: readonly OperationId[]
  readonly schema: number
  readonly sizeBytes: number
  /** What it made of the keys that it changed, and what they were to its author; null is absent. Empty where it has no effect. */
  readonly replaced: readonly { readonly key: Key; readonly before: unknown; readonly after: unknown }[]
}

export default class Show extends MakiCommand<ShownOperation> {
  static override summary = 'Show one operation in full.'
  static override description =
    'With what it replaced: the value of each key as its author saw it, and what the operation made of it.'
  static override examples = ['maki show k3v7', 'maki show k3v7q2mdda --json']
  static override args = {
    operation: Args.string({ required: true, ignoreStdin: true, description: 'Its id, or the beginning of it.' }),
  }

  override async run(): Promise<ShownOperation> {
    const { args, flags } = await this.parse(Show)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const id = resolvePrefix(args.operation, replica.ids(), 'operation')
    const operation = await replica.read(id)
    if (operation === undefined) throw new Error(`operation ${id} is listed and not stored`)
    const waiting = new Set((await client.listWaiting()).map((waits) => waits.id))
    const view = viewOperation(operation, replica, waiting, await readMemberNames(replica))
    return {
      ...view,
      stamp: formatStamp(operation.stamp),
      heads: operation.heads,
      schema: operation.schema,
      sizeBytes: operation.bytes.length,
      replaced: view.standing === 'counted' ? await listReplaced(replica, operation) : [],
    }
  }

  protected format(shown: ShownOperation, style: Style): string {
    const replaced = shown.replaced.flatMap(({ key, before, after }) => [
      plainLine(key),
      `  ${style.bad('-')} ${formatValue(key, before ?? undefined)}`,
      `  ${style.good('+')} ${formatValue(key, after ?? undefined)}${describeDifference(key, before, after)}`,
    ])
    return [
      formatOperation(shown, this.host.runtime.now(), style),
      '',
      ...(replaced.length === 0 ? [] : [...replaced, '']),
      `${style.dim('id')}      ${shown.id}`,
      `${style.dim('author')}  ${shown.author.key}`,
      `${style.dim('stamp')}   ${shown.stamp}`,
      ...shown.heads.map((head) => `${style.dim('after')}   ${head}`),
    ].join('\n')
  }
}

/** Before: the greatest of the operations that its author had seen. Keys that it left as they were are not told. */
async function listReplaced(
  replica: Pick<Replica, 'fold' | 'read'>,
  operation: Operation,
): Promise<ShownOperation['replaced']> {
  const { fold } = replica
  const touched = listUndoKeys(operation, fold)
  const pairs = touched.flatMap((key) => {
    const id = fold.touching(key).findLast((other) => fold.isAncestor(other, operation.id))
    return id === undefined ? [] : [[key, id] as const]
  })
  const before = await readWritten(replica, pairs)
  const after = await readWritten(
    replica,
    touched.map((key) => [key, operation.id]),
  )
  return touched
    .map((key) => ({
      key,
      before: canonicalValue(before.get(key)?.value),
      after: canonicalValue(after.get(key)?.value),
    }))
    .filter((row) => JSON.stringify(row.before) !== JSON.stringify(row.after))
}

/** A long list of values is hard to compare by eye. */
function describeDifference(key: Key, before: unknown, after: unknown): string {
  const words = formatDifference(key, before ?? undefined, after ?? undefined)
  const isNews = before !== null && after !== null && words !== formatValue(key, after)
  return isNews ? `  (${words})` : ''
}
