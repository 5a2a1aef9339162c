import { listValues, recordArgs, recordFlags, valueArg } from '../../record/args.ts'
import { planRecordSet, type RecordResult } from '../../record/plan-record.ts'
import { RecordCommand } from '../../record/record-command.ts'

export default class RecordSet extends RecordCommand {
  static override summary = 'Set a DNS record to exactly these values.'
  static override description =
    'All values of a name and type are written together: what is not named is gone afterwards. Nothing is written when it is so already.'
  static override examples = [
    'maki record set example.com www A 192.0.2.1 192.0.2.2',
    'maki record set example.com @ MX "10 mail.example.com" --ttl 3600',
    'maki record set example.com @ TXT "v=spf1 -all"',
  ]
  static override args = { ...recordArgs, values: valueArg(true, 'The values; TXT values are raw text.') }
  static override flags = recordFlags

  override async run(): Promise<RecordResult> {
    const { args, flags } = await this.parse(RecordSet)
    await using client = await this.openClient(flags)
    const request = { ...args, values: listValues(args.values), ttl: flags.ttl, priority: flags.priority }
    return await this.write(client, ({ state }) => planRecordSet(state, request), flags.message)
  }
}
