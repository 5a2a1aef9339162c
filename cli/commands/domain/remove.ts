import {
  type Change,
  type DomainView,
  type Hostname,
  keys,
  type OperationId,
  type State,
  shortId,
} from '../../../core/index.ts'
import { tellProject } from '../../domain/plan-alias.ts'
import type { Style } from '../../output/style.ts'
import { count } from '../../output/text.ts'
import { domainArg, messageFlag, yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'
import { requireDomain } from '../../require-domain.ts'

interface DomainRemoveResult {
  readonly domain: Hostname
  readonly aliases: readonly Hostname[]
  /** That somebody wrote. */
  readonly records: number
  /** The release that was served. */
  readonly release: OperationId | null
  readonly operation: OperationId
  readonly node: string | null
}

export default class DomainRemove extends MakiCommand<DomainRemoveResult> {
  static override summary = 'Remove a domain: its site, records and aliases are answered no more.'
  static override description =
    'The name servers refuse its zone from then on: where the world still asks them, first change the delegation. Its releases and its history stay; maki undo brings it back as it was, as long as the files of the release are kept. Certificates that the nodes ordered go when they are over.'
  static override examples = ['maki domain remove example.com', 'maki domain remove example.com --yes -m "sold"']
  static override args = { domain: domainArg }
  static override flags = { message: messageFlag, yes: yesFlag }

  override async run(): Promise<DomainRemoveResult> {
    const { args, flags } = await this.parse(DomainRemove)
    await using client = await this.openClient(flags)
    await client.exchange()
    const signer = await client.requireSigner()
    const domain = requireDomain(client.state, args.domain)
    const { apex, aliases, records, release, entry } = domain
    if (entry.via !== undefined) this.note(tellProject(`${apex} is`, entry.via))
    this.note(`${apex} goes ${describeParts(domain)}.`)
    await this.confirm(`Remove ${apex}?`, flags.yes)
    const operation = await client.commit(listChanges(client.state, domain), { signer, message: flags.message })
    const { machine } = await this.send(client, operation.id)
    const about = { domain: apex, aliases, records: records.length, release: release?.id ?? null }
    return { ...about, operation: operation.id, node: machine ?? null }
  }

  protected format({ domain, operation, node }: DomainRemoveResult, style: Style): string {
    const where = node === null ? '' : ` (at ${node})`
    return `${style.good('Removed')} ${domain}${where}. To bring it back: maki undo ${shortId(operation)}`
  }
}

/** Aliases are named, so that each host is released by a change of its own. */
const listChanges = (state: State, { apex, aliases }: DomainView): readonly Change[] => [
  ...aliases
    .filter((host) => state.get(keys.alias(apex, host)) !== undefined)
    .map((host): Change => ({ kind: 'alias.remove', domain: apex, host })),
  { kind: 'domain.remove', domain: apex },
]

function describeParts({ aliases, records, release, settings }: DomainView): string {
  const site = settings.redirect === undefined ? (release === undefined ? [] : ['its site']) : ['its redirect']
  const parts = [
    ...site,
    ...(records.length === 0 ? [] : [count(records.length, 'record')]),
    ...(aliases.length === 0 ? [] : [`${count(aliases.length, 'alias', 'aliases')} (${aliases.join(', ')})`]),
  ]
  const [last] = parts.slice(-1)
  if (last === undefined) return 'with nothing in it'
  return `with ${parts.length === 1 ? last : `${parts.slice(0, -1).join(', ')} and ${last}`}`
}
