import { Args, Flags } from '@oclif/core'
import { parseExplainQuestion } from '../../../dns/index.ts'
import type { ExplainReport } from '../../explain-report.ts'
import { formatExplanation } from '../../output/explanation-text.ts'
import type { Style } from '../../output/style.ts'
import { MakiCommand } from '../../program/base.ts'

export default class DnsExplain extends MakiCommand<ExplainReport> {
  static override summary = 'Tell why a DNS question is answered as it is.'
  static override description =
    'A node answers it as it answers everybody, and tells the way: the zone, what stands at the name and who wrote it, where the client is, and which nodes were chosen. Nodes may answer differently; --node says which to ask. Ends with 3 when no node answers.'
  static override examples = [
    'maki dns explain www.example.com',
    'maki dns explain www.example.com AAAA --client 203.0.113.9',
    'maki dns explain example.com A --client 2001:db8::/48 --node berlin',
  ]
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'The full name that is asked for.' }),
    type: Args.string({ ignoreStdin: true, default: 'A', description: 'The type that is asked for.' }),
  }
  static override flags = {
    client: Flags.string({
      helpValue: 'IP|CIDR',
      summary: 'For whom a resolver asks: a network, or an address, of which resolvers tell a part.',
    }),
    resolver: Flags.string({ helpValue: 'IP', summary: 'Whose address asks; the client’s own when left out.' }),
  }

  override async run(): Promise<ExplainReport> {
    const { args, flags } = await this.parse(DnsExplain)
    const question = { name: args.name, type: args.type, client: flags.client, resolver: flags.resolver }
    // What is no question is said here, before a node is looked for.
    parseExplainQuestion(question)
    await using client = await this.openClient(flags)
    const reached = await client.requireReach()
    // Another node may answer otherwise: that one was asked is no help.
    if (flags.node !== undefined && reached.machine.name !== flags.node) throw client.unreachableError()
    return await reached.control.explain(question, this.host.signal)
  }

  protected format(report: ExplainReport, style: Style): string {
    return formatExplanation(report, this.host.runtime.now(), style)
  }
}
