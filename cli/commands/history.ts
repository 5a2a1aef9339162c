import { Flags } from '@oclif/core'
import {
  type Change,
  type Hostname,
  MakiError,
  type MemberKey,
  type Operation,
  parseHostname,
} from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { formatOperation, nameMember, type OperationView, viewOperation } from '../output/operation-view.ts'
import type { Style } from '../output/output.ts'
import { parseWhen } from '../output/when.ts'
import { MakiCommand } from '../program/base.ts'

/** Enough for a screen or two; a script asks for what it needs. */
const DEFAULT_LIMIT = 50

export default class History extends MakiCommand<readonly OperationView[]> {
  static override summary = 'Show what was changed, by whom and when; newest first.'
  static override examples = [
    'maki history',
    'maki history --domain example.com --since 7d',
    'maki history --author alice --limit 5',
    'maki history --key domain/example.com/rrset/www/A',
  ]
  static override flags = {
    domain: Flags.string({ summary: 'Only changes of this domain.', helpValue: 'DOMAIN' }),
    key: Flags.string({ summary: 'Only operations that write this key of the state.', helpValue: 'KEY' }),
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
    const waiting = new Set((await client.listWaiting()).map(({ id }) => id))
    const authors = flags.author === undefined ? undefined : await findAuthors(client, flags.author)
    const views: OperationView[] = []
    for await (const operation of replica.history(flags.key)) {
      if (authors !== undefined && !authors.has(operation.author)) continue
      if (sinceMs !== undefined && operation.stamp.wallMs < sinceMs) break
      if (domain !== undefined && !operation.changes.some((change) => concerns(change, domain))) continue
      if (views.length === flags.limit) {
        this.#more = true
        break
      }
      views.push(viewOperation(operation, replica, waiting))
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

const concerns = (change: Change, domain: Hostname): boolean =>
  ('domain' in change && change.domain === domain) || ('host' in change && change.host === domain)

/** The keys that a name or the beginning of a key stands for, removed members included. */
async function findAuthors(client: ClusterClient, typed: string): Promise<ReadonlySet<MemberKey>> {
  const keys = new Set<MemberKey>()
  const names = new Map<MemberKey, string>()
  for await (const operation of client.local.replica.history()) {
    keys.add(operation.author)
    for (const [key, name] of listNames(operation)) if (!names.has(key)) names.set(key, name)
  }
  const wanted = typed.toLowerCase()
  const found = [...keys].filter((key) => {
    const name = names.get(key) ?? nameMember(client.state, key)
    return name.toLowerCase() === wanted || (wanted.length >= 4 && key.startsWith(wanted))
  })
  if (found.length > 0) return new Set(found)
  const known = [...keys].map((key) => names.get(key) ?? nameMember(client.state, key))
  throw new MakiError('MAKI_NOT_FOUND', `nobody called ${JSON.stringify(typed)} has changed anything`, {
    hint: `These have: ${[...new Set(known)].sort().join(', ')}`,
  })
}

function* listNames(operation: Operation): Generator<readonly [MemberKey, string]> {
  for (const change of operation.changes) {
    if (change.kind === 'cluster.create') {
      yield [change.operator.key, change.operator.name]
      yield [change.recovery, 'recovery']
    } else if (change.kind === 'operator.add' || change.kind === 'node.join') yield [change.key, change.name]
  }
}
