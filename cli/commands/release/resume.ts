import type { Hostname, OperationId } from '../../../core/index.ts'
import type { Style } from '../../output/style.ts'
import { domainArg, messageFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { describeHold, findHold, type Hold } from '../../release/hold.ts'
import { requireDomain } from '../../require-domain.ts'

interface ResumeResult {
  readonly changed: boolean
  readonly domain: Hostname
  /** The hold that was ended. */
  readonly hold: Hold | null
  readonly operation: OperationId | null
  readonly node: string | null
}

export default class ReleaseResume extends MakiCommand<ResumeResult> {
  static override summary = 'Let sync publish to a domain again that a rollback --hold keeps as it is.'
  static override examples = ['maki release resume example.com -m "the menu works again"']
  static override args = {
    domain: domainArg,
  }
  static override flags = {
    message: messageFlag,
  }

  override async run(): Promise<ResumeResult> {
    const { args, flags } = await this.parse(ReleaseResume)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const { apex } = requireDomain(client.state, args.domain)
    const hold = await findHold(client.local.replica, apex)
    if (hold === undefined) return { changed: false, domain: apex, hold: null, operation: null, node: null }
    const operation = await client.commit([{ kind: 'release.hold', domain: apex, hold: false }], {
      signer,
      message: flags.message,
    })
    const { machine } = await this.send(client, operation.id)
    return { changed: true, domain: apex, hold, operation: operation.id, node: machine ?? null }
  }

  protected format({ changed, domain, hold, node }: ResumeResult, style: Style): string {
    if (!changed || hold === null) return `Nobody holds ${domain}; nothing was written.`
    this.note(style.dim(`It was held: ${describeHold(domain, hold)}`))
    return `${style.good('Resumed')} ${domain}${node === null ? '' : ` at ${node}`}: maki sync publishes to it again.`
  }
}
