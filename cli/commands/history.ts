import { Flags } from '@oclif/core'
import { parseHostname } from '../../core/index.ts'
import { readMemberNames } from '../member/member-names.ts'
import { findKeys } from '../operations/find-keys.ts'
import { findAuthors, findOperations } from '../operations/find-operations.ts'
import { formatOperation, type OperationView, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/style.ts'
import { parseWhen } from '../output/when.ts'
import { MakiCommand } from '../program/base.ts'

/** Enough for a screen or two; a script asks for what it needs. */
const DEFAULT_LIMIT = 50

export default class History extends MakiCommand<readonly OperationView[]> {
  static override summary = 'Show what was changed, by whom and when; newest first.'
  static override description =
    'Filters can be combined. What does not count, is held, pending or not understood is marked, with the reason.'
  static override examples = [
    'maki history',
    'maki history --domain example.com --since 7d',
    'maki history --author alice --limit 5',
    'maki history --key domain/example.com/rrset/www/A',
  ]
  static override flags = {
    domain: Flags.string({ summary: 'Only changes of this domain.', helpValue: 'DOMAIN' }),
    key: Flags.string({
      summary:
        'Only operations that count and write this key of the state or what lies below it; a domain or host name will do. (An identity comes from MAKIATTO_KEY here.)',
      helpValue: 'KEY',
    }),
    author: Flags.string({ summary: 'Only by this member: its name, or the beginning of its key.', helpValue: 'NAME' }),
    since: Flags.string({ summary: 'Only newer: 30m, 12h, 7d, 2w, a date or a time.', helpValue: 'TIME' }),
    limit: Flags.integer({ summary: 'At most so many.', helpValue: 'NUMBER', min: 1, default: DEFAULT_LIMIT }),
  }
  #more = false

  override async run(): Promise<readonly OperationView[]> {
    const { flags } = await this.parse(History)
    const sinceMs = flags.since === undefined ? undefined : parseWhen(flags.since, this.host.runtime.now())
    const domain = flags.domain === undefined ? undefined : parseHostname(flags.domain)
    // Here --key is a key of the state; an identity comes from MAKIATTO_KEY.
    await using client = await this.openClient({ ...flags, key: undefined })
    await this.refresh(client)
    const { replica } = client.local
    const names = await readMemberNames(replica)
    const filter = {
      keys: flags.key === undefined ? undefined : findKeys(replica.fold, flags.key),
      authors: flags.author === undefined ? undefined : await findAuthors(replica, names, flags.author),
      domain,
      sinceMs,
    }
    const waiting = new Set((await client.listWaiting()).map(({ id }) => id))
    const views: OperationView[] = []
    for await (const operation of findOperations(replica, filter)) {
      if (views.length === flags.limit) {
        this.#more = true
        break
      }
      views.push(viewOperation(operation, replica, waiting, names))
    }
    return views
  }

  protected format(views: readonly OperationView[], style: Style): string {
    if (views.length === 0) return 'There is no such operation.'
    const now = this.host.runtime.now()
    if (this.#more) this.note(`There are more: --limit ${views.length * 2} shows them.`)
    return views.map((view) => formatOperation(view, now, style)).join('\n\n')
  }
}
