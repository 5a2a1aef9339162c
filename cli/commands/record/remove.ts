import { listValues, recordArgs, recordFlags, valueArg } from '../../record/args.ts'
import { planRecordRemove, type RecordResult } from '../../record/plan-record.ts'
import { RecordCommand } from '../../record/record-command.ts'

export default class RecordRemove extends RecordCommand {
  static override summary = 'Remove a DNS record, or some of its values.'
  static override description =
    'Without values, all of the name and type are removed; an automatic record that was replaced is back then.'
  static override examples = ['maki record remove example.com www A', 'maki record remove example.com www A 192.0.2.2']
  static override args = { ...recordArgs, values: valueArg(false, 'The values to take away; all without any.') }
  static override flags = { priority: recordFlags.priority, message: recordFlags.message }

  override async run(): Promise<RecordResult> {
    const { args, flags } = await this.parse(RecordRemove)
    await using client = await this.openClient(flags)
    const request = { ...args, values: listValues(args.values), priority: flags.priority }
    return await this.write(client, ({ state }) => planRecordRemove(state, request), flags.message)
  }
}
