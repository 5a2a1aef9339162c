import { Args } from '@oclif/core'
import { type Key, type MemberKey, type OperationId, type Side, shortId } from '../../core/index.ts'
import { readMemberNames } from '../member/member-names.ts'
import { findKeys } from '../operations/find-keys.ts'
import { readWritten, wasNamed } from '../operations/written.ts'
import { canonicalValue } from '../output/canonical-value.ts'
import type { Style } from '../output/style.ts'
import { count, plainLine } from '../output/text.ts'
import { formatValue } from '../output/value-words.ts'
import { formatAgo } from '../output/when.ts'
import { MakiCommand } from '../program/base.ts'

interface BlamedKey {
  readonly key: string
  /** Null where it was removed. */
  readonly value: unknown
  readonly removed: boolean
  readonly operation: OperationId
  readonly author: { readonly key: MemberKey; readonly name: string | null }
  /** ISO 8601, by the author's clock. */
  readonly at: string
  /** The project whose sync wrote it. */
  readonly via: string | null
  readonly message: string
  /** Other operations that stand beside it, unseen by it and it by them; see `maki conflicts`. */
  readonly beside: readonly OperationId[]
}

export default class Blame extends MakiCommand<readonly BlamedKey[]> {
  static override summary = 'Show who wrote what is there now, and who removed what is not.'
  static override description =
    'KEY is a domain, a host name, the name of a node, a member or an external peer, or a key as maki state shows them; what lies below it is listed too.'
  static override examples = [
    'maki blame example.com',
    'maki blame www.example.com A',
    'maki blame domain/example.com/rrset',
  ]
  static override args = {
    key: Args.string({ required: true, ignoreStdin: true, description: 'What to ask about.' }),
    type: Args.string({ ignoreStdin: true, description: 'A type of record, like A: only that one at the name.' }),
  }

  override async run(): Promise<readonly BlamedKey[]> {
    const { args, flags } = await this.parse(Blame)
    await using client = await this.openClient(flags)
    await this.refresh(client)
    const { replica } = client.local
    const { fold } = replica
    const sides: { key: Key; top: Side; beside: readonly Side[] }[] = []
    for (const key of findKeys(fold, args.key, args.type)) {
      const [top, ...beside] = fold.frontier(key)
      if (top === undefined || (top.value === undefined && !(await wasNamed(replica, key)))) continue
      sides.push({ key, top, beside })
    }
    const written = await readWritten(
      replica,
      sides.map(({ key, top }) => [key, top.operation]),
    )
    const names = await readMemberNames(replica)
    const messages = new Map<OperationId, string>()
    for (const { top } of sides) {
      if (messages.has(top.operation)) continue
      messages.set(top.operation, (await replica.read(top.operation))?.message ?? '')
    }
    return sides.map(({ key, top, beside }) => ({
      key,
      value: canonicalValue(top.value),
      removed: top.value === undefined,
      operation: top.operation,
      author: { key: top.author, name: names.get(top.author) ?? null },
      at: new Date(top.stamp.wallMs).toISOString(),
      via: written.get(key)?.via ?? null,
      message: messages.get(top.operation) ?? '',
      beside: beside.map(({ operation }) => operation),
    }))
  }

  protected format(blamed: readonly BlamedKey[], style: Style): string {
    if (blamed.length === 0) return 'Nothing that counts was ever written there.'
    const now = this.host.runtime.now()
    return blamed
      .map(({ key, value, removed, operation, author, at, via, message, beside }) => {
        const what = removed ? style.dim('removed') : formatValue(key, value)
        const who = plainLine(author.name ?? shortId(author.key))
        const project = via === null ? '' : `, sync of ${plainLine(via)}`
        const why = message === '' ? '' : `: ${plainLine(message.split('\n')[0] ?? '')}`
        const others =
          beside.length === 0 ? '' : `\n  ${style.warn(`beside ${count(beside.length, 'other')}`)}: maki conflicts`
        return `${plainLine(key)}  ${what}\n  ${style.name(shortId(operation))}  ${formatAgo(Date.parse(at), now)} by ${who}${project}${why}${others}`
      })
      .join('\n')
  }
}
