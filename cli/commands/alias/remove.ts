import { AliasCommand, type AliasResult, aliasArgs } from '../../domain/alias-command.ts'
import { planAliasRemove } from '../../domain/plan-alias.ts'
import type { Style } from '../../output/style.ts'
import { messageFlag } from '../../program/arguments.ts'

export default class AliasRemove extends AliasCommand {
  static override summary = 'Take a name away from the site of a domain.'
  static override description = 'maki undo brings it back.'
  static override examples = ['maki alias remove example.com www.example.com']
  static override args = aliasArgs
  static override flags = { message: messageFlag }

  override async run(): Promise<AliasResult> {
    const { args, flags } = await this.parse(AliasRemove)
    await using client = await this.openClient(flags)
    return await this.write(client, (state) => planAliasRemove(state, args), flags.message)
  }

  protected format({ changed, domain, alias, node }: AliasResult, style: Style): string {
    if (!changed) return `${domain} has no alias ${alias}; nothing was written.`
    return `${style.good('Removed')} ${alias} from ${domain}${node === null ? '' : ` (at ${node})`}.`
  }
}
