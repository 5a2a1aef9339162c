import { Args, Flags } from '@oclif/core'
import type { MemberKey, OperationId, RemovalReach } from '../../../core/index.ts'
import type { MissedMachine } from '../../client/spread.ts'
import { listMembers, requireMember } from '../../member/members.ts'
import { requireRemoval } from '../../member/require-removal.ts'
import { formatOperation, type OperationView, viewOperations } from '../../output/operation-view.ts'
import type { Style } from '../../output/style.ts'
import { count, plainLine } from '../../output/text.ts'
import { yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

interface RemoveResult {
  readonly name: string
  readonly key: MemberKey
  readonly how: RemovalReach
  /** Operations that do not count any more, newest first. */
  readonly voids: readonly OperationView[]
  /** Operations that count again, since what voided them is void. */
  readonly counted: readonly OperationView[]
  readonly operation: OperationId
  readonly node: string | null
  /** Machines that did not take it from here; absent where nothing was written. */
  readonly missed?: readonly MissedMachine[]
}

/** More are only counted; `--json` has them all. */
const MAX_SHOWN = 20

export default class OperatorRemove extends MakiCommand<RemoveResult> {
  static override summary = 'Take a key’s right to change the cluster away, for ever.'
  static override description =
    'What it has written stays, and so does what it wrote somewhere without knowing of this. With --revoke, for a key that was stolen, nothing counts that is not known here now. It lists what will not count any more, and asks. Only who ranks above somebody can remove them (maki operator list).'
  static override examples = ['maki operator remove ann', 'maki operator remove ci --revoke --yes']
  static override args = {
    name: Args.string({ required: true, ignoreStdin: true, description: 'Its name, or the beginning of its key.' }),
  }
  static override flags = {
    revoke: Flags.boolean({ summary: 'The key was stolen: what is not known here now does not count.' }),
    yes: yesFlag,
  }

  override async run(): Promise<RemoveResult> {
    const { args, flags } = await this.parse(OperatorRemove)
    const how = flags.revoke ? 'revoke' : 'retire'
    await using client = await this.openClient(flags)
    const { machine } = await client.exchange()
    const signer = await client.requireSigner()
    const { replica } = client.local
    const rows = await listMembers(replica)
    const member = requireMember(rows, args.name)
    const plan = requireRemoval(replica, rows, signer.key, member, how)
    const voids = await viewOperations(replica, plan.voids)
    const counted = await viewOperations(replica, plan.counted)
    if (machine === undefined)
      this.caution(`no node was asked: what only nodes know of ${plainLine(member.name)}’s work is not in this list`)
    this.#tell('will not count any more', voids)
    this.#tell('will count again', counted)
    const name = `${member.role} ${plainLine(member.name)}`
    if (voids.length === 0) this.note(`All that is known here of the ${name} goes on counting.`)
    await this.confirm(`${how === 'revoke' ? 'Revoke' : 'Remove'} the ${name}? A removed key never returns.`, flags.yes)
    const operation = await client.commit(plan.changes, { signer })
    const report = await this.send(client, operation.id)
    const missed = await this.tellAll(client, operation, [report.machine])
    const { key } = member
    const node = report.machine ?? null
    return { name: member.name, key, how, voids, counted, operation: operation.id, node, missed }
  }

  protected format({ name, how, voids, node }: RemoveResult, style: Style): string {
    const plain = plainLine(name)
    const done = `${style.good(how === 'revoke' ? 'Revoked' : 'Removed')} ${plain}${node === null ? '' : ` at ${node}`}`
    return `${done}; ${voids.length === 0 ? 'nothing that was known stopped counting' : `${count(voids.length, 'operation')} of it ${voids.length === 1 ? 'does' : 'do'} not count any more`}.`
  }

  #tell(what: string, views: readonly OperationView[]): void {
    if (views.length === 0) return
    const style = this.noteStyle
    const now = this.host.runtime.now()
    const shown = views.slice(0, MAX_SHOWN).map((view) => formatOperation(view, now, style))
    const more = views.length > MAX_SHOWN ? [`… and ${views.length - MAX_SHOWN} older`] : []
    this.note([`${style.warn(count(views.length, 'operation'))} ${what}:`, ...shown, ...more].join('\n\n'))
  }
}
