import { Flags } from '@oclif/core'
import {
  type Change,
  findCluster,
  isOperator,
  isRemoved,
  MakiError,
  type MemberKey,
  type OperationId,
  shortId,
} from '../../../core/index.ts'
import type { ClusterClient } from '../../client/cluster-client.ts'
import { readKeyFile } from '../../client/identity.ts'
import { ensureProfileKey } from '../../client/profile-key.ts'
import type { MissedMachine } from '../../client/spread.ts'
import { listMembers, type MemberRow, requireMember } from '../../member/members.ts'
import { checkName } from '../../member/plan-addition.ts'
import { requireRemoval } from '../../member/require-removal.ts'
import type { Style } from '../../output/style.ts'
import { plainLine } from '../../output/text.ts'
import { yesFlag } from '../../program/arguments.ts'
import { MakiCommand } from '../../program/base.ts'

interface RecoverResult {
  readonly changed: boolean
  /** The key of this computer, an operator now. */
  readonly key: MemberKey
  readonly name: string
  readonly revoked: readonly { readonly name: string; readonly key: MemberKey }[]
  /** Operations that do not count any more. */
  readonly voids: readonly OperationId[]
  readonly operation: OperationId | null
  readonly node: string | null
  /** Machines that did not take it from here; absent where nothing was written. */
  readonly missed?: readonly MissedMachine[]
}

export default class ClusterRecover extends MakiCommand<RecoverResult> {
  static override summary = 'Make this computer an operator with the recovery key, when the others are lost.'
  static override description =
    'The cluster is read from a node, or from the copy of this profile. The recovery key signs one operation, which admits the key of this computer and, with --revoke, removes keys that were lost or stolen. It is not copied anywhere: take its file away again afterwards.'
  static override examples = [
    'maki cluster recover --recovery-key /media/stick/recovery.key',
    'maki cluster recover --recovery-key /media/stick/recovery.key --name ann-2 --revoke ann',
  ]
  static override flags = {
    'recovery-key': Flags.string({ required: true, helpValue: 'FILE', summary: 'The file of the recovery key.' }),
    name: Flags.string({
      default: 'recovered',
      helpValue: 'NAME',
      summary: 'What this computer’s operator is called.',
    }),
    revoke: Flags.string({
      multiple: true,
      helpValue: 'NAME',
      summary: 'Whose key was lost or stolen: a name, or the beginning of the key. Repeat it for more.',
    }),
    yes: yesFlag,
  }

  override async run(): Promise<RecoverResult> {
    const { flags } = await this.parse(ClusterRecover)
    checkName(flags.name)
    const recovery = await readKeyFile(flags['recovery-key'])
    await using client = await this.openClient({ ...flags, key: undefined })
    const { machine } = await client.exchange()
    if (!client.local.isKnown) throw client.unreachableError()
    requireRecoveryKey(client, recovery.key, flags['recovery-key'])
    const { signer: own, isNew } = await ensureProfileKey(client.profile, this.host.runtime)
    if (isNew) this.note(`Made a key for this computer: ${own.key}`)
    this.note(
      machine === undefined ? 'Read the cluster from the copy on this computer.' : `Read the cluster from ${machine}.`,
    )
    const { replica } = client.local
    const rows = await listMembers(replica)
    const lost = [...new Set((flags.revoke ?? []).map((typed) => requireMember(rows, typed)))]
    const addition = planOwn(client, rows, own.key, flags.name)
    const removals = lost.map((member) => {
      if (member.key === own.key)
        throw new MakiError('MAKI_USAGE', `${plainLine(member.name)} is the key of this computer`, {
          hint: 'Leave it out of --revoke.',
        })
      return requireRemoval(replica, rows, recovery.key, member, 'revoke')
    })
    const changes = [...addition, ...removals.flatMap((plan) => plan.changes)]
    const result = {
      key: own.key,
      name: addition.length === 0 ? (rows.find(({ key }) => key === own.key)?.name ?? flags.name) : flags.name,
      revoked: lost.map(({ name, key }) => ({ name, key })),
    }
    if (changes.length === 0) return { ...result, changed: false, voids: [], operation: null, node: null }
    const { voids } = replica.preview(recovery.key, changes)
    for (const { name, role } of lost) this.note(`Revokes the ${role} ${plainLine(name)}.`)
    this.note(`${voids.length === 0 ? 'No operation' : voids.length} that counts will be void by this.`)
    await this.confirm(`Make ${shortId(own.key)} an operator called ${plainLine(flags.name)}?`, flags.yes)
    const operation = await client.commit(changes, { signer: recovery, message: 'recovered with the recovery key' })
    const report = await this.send(client, operation.id)
    const missed = await this.tellAll(client, operation, [report.machine])
    return { ...result, changed: true, voids, operation: operation.id, node: report.machine ?? null, missed }
  }

  protected format({ changed, name, revoked, node }: RecoverResult, style: Style): string {
    if (!changed) return `This computer is the operator ${plainLine(name)} already; nothing was written.`
    const lines = [
      `${style.good('Done')}${node === null ? '' : ` at ${node}`}: this computer is the operator ${plainLine(name)}.`,
    ]
    if (revoked.length > 0) lines.push(`Revoked: ${revoked.map((row) => plainLine(row.name)).join(', ')}.`)
    lines.push(
      '',
      'Next:',
      '  take the recovery key away from this computer, and keep it offline',
      '  maki operator list      who may change the cluster now',
    )
    if (revoked.length > 0) lines.push('  maki history            what was written with the lost keys before')
    return lines.join('\n')
  }
}

function requireRecoveryKey(client: ClusterClient, key: MemberKey, file: string): void {
  const cluster = findCluster(client.state)
  if (cluster?.recovery === key) return
  throw new MakiError(
    'MAKI_OPERATION_REFUSED',
    `${file} does not hold the recovery key of the cluster ${plainLine(cluster?.name ?? '')}`,
    {
      hint: `Its public half is ${cluster?.recovery}; this file has that of ${key}.`,
    },
  )
}

/** What makes this computer's key an operator; nothing where it is one. */
function planOwn(client: ClusterClient, rows: readonly MemberRow[], key: MemberKey, name: string): Change[] {
  const member = client.local.replica.findMember(key)
  if (member !== undefined && isRemoved(member)) {
    const row = rows.find((each) => each.key === key)
    throw new MakiError('MAKI_CONFLICT', `the key of this computer was removed (as ${row?.name}), and never returns`, {
      hint: `Move ${client.local.folder?.keyFile ?? 'its operator.key'} away, then type this again: it makes a new one.`,
    })
  }
  if (member !== undefined && isOperator(member)) return []
  return [{ kind: 'operator.add', key, name, role: 'operator' }]
}
