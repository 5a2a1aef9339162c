import { Flags } from '@oclif/core'
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
    'maki record set example.com cdn A --geo',
    'maki record set example.com @ ALIAS app.example.net',
  ]
  static override args = {
    ...recordArgs,
    values: valueArg(false, 'The values; TXT values are raw text. None with --geo.'),
  }
  static override flags = {
    ...recordFlags,
    geo: Flags.boolean({
      summary: 'Of an A or AAAA record: the address of the nearest healthy node, in place of values.',
    }),
  }

  override async run(): Promise<RecordResult> {
    const { args, flags } = await this.parse(RecordSet)
    await using client = await this.openClient(flags)
    const { ttl, priority, geo } = flags
    const request = { ...args, values: listValues(args.values), ttl, priority, geo }
    return await this.write(client, ({ state }) => planRecordSet(state, request), flags.message)
  }
}
