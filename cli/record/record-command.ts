import type { ClusterClient } from '../client/cluster-client.ts'
import type { Style } from '../output/style.ts'
import { BEST_NODE, plainLine } from '../output/text.ts'
import { MakiCommand } from '../program/base.ts'
import type { RecordPlan, RecordResult } from './plan-record.ts'

/** What the commands that write records have in common: plan on the newest state there is, write, send. */
export abstract class RecordCommand extends MakiCommand<RecordResult> {
  protected async write(
    client: ClusterClient,
    plan: (client: ClusterClient) => RecordPlan,
    message?: string,
  ): Promise<RecordResult> {
    await client.exchange()
    const signer = await client.requireSigner()
    const { change, what, values, geo, notes } = plan(client)
    const result = { record: what, values, geo }
    for (const note of notes) this.note(note)
    if (change === undefined) return { ...result, changed: false, operation: null, node: null }
    const operation = await client.commit([change], { signer, message })
    const report = await this.send(client, operation.id)
    return { ...result, changed: true, operation: operation.id, node: report.machine ?? null }
  }

  protected format({ changed, record, values, geo, node }: RecordResult, style: Style): string {
    const shown = geo ? BEST_NODE : values.map(plainLine).join(', ')
    if (!changed && shown === '') return `There is no ${record}; nothing was written.`
    if (!changed) return `${record} is ${shown} already; nothing was written.`
    const where = node === null ? '' : ` (at ${node})`
    return shown === ''
      ? `${style.good('Removed')} ${record}${where}.`
      : `${style.good('Set')} ${record} to ${shown}${where}.`
  }
}
