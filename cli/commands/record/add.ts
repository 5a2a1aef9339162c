import { listValues, recordArgs, recordFlags, valueArg } from '../../record/args.ts'
import { planRecordAdd, type RecordResult } from '../../record/plan-record.ts'
import { RecordCommand } from '../../record/record-command.ts'

export default class RecordAdd extends RecordCommand {
  static override summary = 'Add values to a DNS record.'
  static override description = 'The values that are there stay. Nothing is written when all are there already.'
  static override examples = [
    'maki record add example.com www A 192.0.2.3',
    'maki record add example.com @ TXT "site-verification=abc"',
  ]
  static override args = { ...recordArgs, values: valueArg(true, 'The values; TXT values are raw text.') }
  static override flags = recordFlags

  override async run(): Promise<RecordResult> {
    const { args, flags } = await this.parse(RecordAdd)
    await using client = await this.openClient(flags)
    const request = { ...args, values: listValues(args.values), ttl: flags.ttl, priority: flags.priority }
    return await this.write(client, ({ state }) => planRecordAdd(state, request), flags.message)
  }
}
