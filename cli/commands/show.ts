import { Args } from '@oclif/core'
import { formatStamp, type OperationId } from '../../core/index.ts'
import { formatOperation, type OperationView, resolvePrefix, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/output.ts'
import { MakiCommand } from '../program/base.ts'

interface ShownOperation extends OperationView {
  readonly stamp: string
  readonly heads: readonly OperationId[]
  readonly schema: number
  readonly sizeBytes: number
}

/** Of an inventory. */
const BUCKETS = 256

export default class Show extends MakiCommand<ShownOperation> {
  static override summary = 'Show one operation in full.'
  static override examples = ['maki show k3v7', 'maki show k3v7q2mdda --json']
  static override args = {
    operation: Args.string({ required: true, ignoreStdin: true, description: 'Its id, or the beginning of it.' }),
  }

  override async run(): Promise<ShownOperation> {
    const { args, flags } = await this.parse(Show)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const ids = Array.from({ length: BUCKETS }, (_, index) => replica.inventory.bucket(index)).flat()
    const id = resolvePrefix(args.operation, ids, 'operation')
    const operation = await replica.read(id)
    if (operation === undefined) throw new Error(`operation ${id} is listed and not stored`)
    const waiting = new Set((await client.listWaiting()).map((waits) => waits.id))
    return {
      ...viewOperation(operation, replica, waiting),
      stamp: formatStamp(operation.stamp),
      heads: operation.heads,
      schema: operation.schema,
      sizeBytes: operation.bytes.length,
    }
  }

  protected format(shown: ShownOperation, style: Style): string {
    return [
      formatOperation(shown, this.host.runtime.now(), style),
      '',
      `${style.dim('id')}      ${shown.id}`,
      `${style.dim('author')}  ${shown.author.key}`,
      `${style.dim('stamp')}   ${shown.stamp}`,
      ...shown.heads.map((head) => `${style.dim('after')}   ${head}`),
    ].join('\n')
  }
}
