import { MakiError, type MemberKey, type NodeView, planRemoval, type RemovalReach } from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import type { PossibleRemoval } from '../member/require-removal.ts'

/** Plans to take a node out of the cluster. Throws MAKI_OPERATION_REFUSED where that would not count. */
export function requireNodeRemoval(
  replica: Pick<Replica, 'members' | 'preview'>,
  author: MemberKey,
  { key, name }: NodeView,
  how: RemovalReach,
): PossibleRemoval {
  const plan = planRemoval(replica, author, key, how)
  switch (plan.kind) {
    case 'possible':
      return plan
    case 'stranger':
    case 'removed':
      throw refuse(`${name} is no node of the cluster any more`, 'maki machine list')
    case 'powerless':
    case 'self':
    case 'senior':
      throw refuse('your key may remove no nodes: only operators may', `An operator can: maki machine remove ${name}`)
    default:
      return plan satisfies never
  }
}

const refuse = (message: string, hint: string) => new MakiError('MAKI_OPERATION_REFUSED', message, { hint })
