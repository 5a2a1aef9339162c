import type { MemberKey, OperationId } from '../ids.ts'
import type { Change } from '../operation/index.ts'
import type { Role } from '../state/index.ts'
import { compareMembers, type Member, type Members } from './membership.ts'
import type { Preview } from './preview.ts'

/** How far a removal reaches: `retire` lets what the removed wrote concurrently count, `revoke` cuts it (key stolen). */
export type RemovalReach = 'retire' | 'revoke'

/** What a plan needs of a replica. */
export interface RemovalSource {
  readonly members: Members
  preview(author: MemberKey, changes: readonly Change[]): Preview
}

/** What the removal of a member would do, or why it would do nothing. */
export type RemovalPlan =
  | {
      readonly kind: 'possible'
      readonly changes: readonly Change[]
      /** Operations that would not count any more, in total order; also those of others whom only the removed admitted. */
      readonly voids: readonly OperationId[]
      /** Operations that would count again: what voided them would be void. */
      readonly counted: readonly OperationId[]
    }
  /** Nobody of this key was ever admitted. */
  | { readonly kind: 'stranger' }
  /** Its key was removed before. */
  | { readonly kind: 'removed' }
  /** The author removes nobody: a node, a deployer, a stranger, or removed itself. */
  | { readonly kind: 'powerless' }
  /** A removal counts only when its author outranks the removed, and nobody outranks themselves. */
  | { readonly kind: 'self'; readonly able: readonly MemberKey[] }
  | { readonly kind: 'senior'; readonly able: readonly MemberKey[] }

/**
 * Plans the removal of a member by `author`, who would sign it now. Pure: it folds as if, and leaves everything as it
 * is. `able` are the members who could do it instead, most senior first; the recovery key always can.
 */
export function planRemoval(source: RemovalSource, author: MemberKey, key: MemberKey, how: RemovalReach): RemovalPlan {
  const { members } = source
  const removed = members.get(key)
  const remover = members.get(author)
  if (removed === undefined) return { kind: 'stranger' }
  if (isRemoved(removed)) return { kind: 'removed' }
  if (remover === undefined || isRemoved(remover) || !isOperator(remover)) return { kind: 'powerless' }
  const able = [...members.values()]
    .filter((member) => isOperator(member) && !isRemoved(member) && compareMembers(member, removed) < 0)
    .sort(compareMembers)
    .map((member) => member.key)
  if (author === key) return { kind: 'self', able }
  if (compareMembers(removed, remover) < 0) return { kind: 'senior', able }
  const changes: readonly Change[] = [
    { kind: roleOf(removed) === 'node' ? 'node.remove' : 'operator.remove', key, how },
  ]
  const { reason, voids, counted } = source.preview(author, changes)
  if (reason !== undefined) return { kind: 'powerless' }
  return { kind: 'possible', changes, voids, counted }
}

/** Of several grants the one that allows most: a second one never takes away. */
export function roleOf(member: Member): Role {
  const roles = member.grants.map(({ role }) => role)
  const strongest = (['recovery', 'operator', 'deployer', 'node'] as const).find((role) => roles.includes(role))
  return strongest ?? 'node'
}

/** True for whoever may admit and remove others. */
export function isOperator(member: Member): boolean {
  const role = roleOf(member)
  return role === 'operator' || role === 'recovery'
}

/** A removed key is a member no more, and never again. */
export const isRemoved = (member: Member): boolean => member.cuts.length > 0
