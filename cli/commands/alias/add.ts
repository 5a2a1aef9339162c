import { AliasCommand, type AliasResult, aliasArgs } from '../../domain/alias-command.ts'
import { planAliasAdd } from '../../domain/plan-alias.ts'
import type { Style } from '../../output/style.ts'
import { messageFlag } from '../../program/arguments.ts'

export default class AliasAdd extends AliasCommand {
  static override summary = 'Have another name answer with the site of a domain.'
  static override description =
    'It is served and certified as the domain is; in a zone of this cluster it gets addresses too. A later maki sync leaves it as it is.'
  static override examples = ['maki alias add example.com www.example.com', 'maki alias add example.com example.org']
  static override args = aliasArgs
  static override flags = { message: messageFlag }

  override async run(): Promise<AliasResult> {
    const { args, flags } = await this.parse(AliasAdd)
    await using client = await this.openClient(flags)
    return await this.write(client, (state) => planAliasAdd(state, args), flags.message)
  }

  protected format({ changed, domain, alias, node }: AliasResult, style: Style): string {
    if (!changed) return `${alias} is an alias of ${domain} already; nothing was written.`
    return `${style.good('Added')} ${alias} to ${domain}${node === null ? '' : ` (at ${node})`}.`
  }
}
