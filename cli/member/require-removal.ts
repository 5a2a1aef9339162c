import {
  isOperator,
  isRemoved,
  MakiError,
  type MemberKey,
  planRemoval,
  type RemovalPlan,
  type RemovalReach,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { plainLine } from '../output/text.ts'
import type { MemberRow } from './members.ts'

/** A removal that would do something. */
export type PossibleRemoval = Extract<RemovalPlan, { kind: 'possible' }>

/**
 * Plans the removal of an operator or deployer. Throws MAKI_OPERATION_REFUSED, with who could do it instead, where a removal by
 * this author would not count.
 */
export function requireRemoval(
  replica: Pick<Replica, 'members' | 'preview'>,
  rows: readonly MemberRow[],
  author: MemberKey,
  member: MemberRow,
  how: RemovalReach,
): PossibleRemoval {
  const name = plainLine(member.name)
  if (member.role === 'recovery')
    throw refuse(
      'the recovery key cannot be removed: it outranks everybody',
      'Keep it offline; nothing else is needed.',
    )
  if (member.role === 'node') throw refuse(`${name} is a node, not an operator`, 'maki operator list')
  const plan = planRemoval(replica, author, member.key, how)
  switch (plan.kind) {
    case 'possible':
      return plan
    case 'stranger':
      throw new MakiError('MAKI_NOT_FOUND', `there is no member ${name}`, { hint: 'maki operator list' })
    case 'removed':
      throw refuse(`${name} was removed already, and a removed key never returns`, 'maki operator list')
    case 'powerless':
      throw refuse('your key may remove nobody: only operators may', `An operator can: maki operator remove ${name}`)
    case 'self': {
      const others = [...replica.members.values()].filter(
        (each) => each.key !== author && isOperator(each) && !isRemoved(each) && each.rank[1] > 0,
      )
      if (others.length === 0)
        throw refuse(
          'you are the last operator: without you nobody could change the cluster',
          'First admit another: maki operator add NAME PUBKEY',
        )
      throw refuse(
        'nobody can remove themselves: a removal counts only from who ranks above',
        wayOut(rows, plan.able, member),
      )
    }
    case 'senior':
      throw refuse(`${name} ranks above you, so your removal of it would not count`, wayOut(rows, plan.able, member))
    default:
      return plan satisfies never
  }
}

function wayOut(rows: readonly MemberRow[], able: readonly MemberKey[], { name }: MemberRow): string {
  const names = rows
    .filter(({ key, role }) => able.includes(key) && role !== 'recovery')
    .map((row) => plainLine(row.name))
  const recovery = `maki cluster recover --recovery-key FILE --revoke ${plainLine(name)}`
  return names.length === 0
    ? `Only the recovery key can: ${recovery}`
    : `These rank above and can: ${names.join(', ')}. So can the recovery key: ${recovery}`
}

const refuse = (message: string, hint: string) => new MakiError('MAKI_OPERATION_REFUSED', message, { hint })
