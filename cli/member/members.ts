import {
  compareMembers,
  type Hostname,
  isRemoved,
  MakiError,
  type Member,
  type MemberKey,
  type Operation,
  type OperationId,
  type Role,
  roleOf,
  shortId,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { findNearest } from '../config/index.ts'
import { findGivenName } from './member-names.ts'

/** A member as commands show it. */
export interface MemberRow {
  readonly key: MemberKey
  readonly name: string
  readonly role: Role
  /** Of a deployer; null for others, who are not bound to domains. */
  readonly domains: readonly Hostname[] | null
  /** 1 is the most senior; null for who was removed. Nodes rank below all operators. */
  readonly rank: number | null
  readonly added: Deed
  readonly removed: (Deed & { readonly how: 'retire' | 'revoke' }) | null
}

/** Who did something, when, and by which operation. */
export interface Deed {
  readonly operation: OperationId
  readonly by: { readonly key: MemberKey; readonly name: string }
  /** ISO 8601, by the author's clock. */
  readonly at: string
}

type Source = Pick<Replica, 'members' | 'read'>

/**
 * Everybody who was ever admitted by an operation that counts, most senior first; from the operations that did it, since
 * what the state says of a member any operator may write.
 */
export async function listMembers(replica: Source): Promise<readonly MemberRow[]> {
  const members = [...replica.members.values()].sort(compareMembers)
  const operations = new Map<OperationId, Operation>()
  for (const { grants, cuts } of members) {
    for (const { operation: id } of [...grants, ...cuts]) {
      const operation = operations.has(id) ? undefined : await replica.read(id)
      if (operation !== undefined) operations.set(id, operation)
    }
  }
  const names = new Map(members.map((member) => [member.key, findName(member, operations)]))
  let rank = 0
  const tell = (id: OperationId): Deed => {
    const operation = operations.get(id) as Operation
    const { author: key, stamp } = operation
    return {
      operation: id,
      by: { key, name: names.get(key) ?? shortId(key) },
      at: new Date(stamp.wallMs).toISOString(),
    }
  }
  return members.map((member): MemberRow => {
    const role = roleOf(member)
    const [first] = member.grants
    const [cut] = member.cuts
    if (!isRemoved(member)) rank++
    return {
      key: member.key,
      name: names.get(member.key) as string,
      role,
      domains: role === 'deployer' ? listDomainsOf(member) : null,
      rank: isRemoved(member) ? null : rank,
      added: tell((first as Member['grants'][number]).operation),
      removed: cut === undefined ? null : { ...tell(cut.operation), how: cut.how },
    }
  })
}

/** The domains that some grant of a deployer names; sorted. */
export function listDomainsOf(member: Member): readonly Hostname[] {
  return [...new Set(member.grants.flatMap(({ domains }) => domains))].sort()
}

/** The name that the last addition gave. */
function findName({ key, grants }: Member, operations: ReadonlyMap<OperationId, Operation>): string {
  for (const { operation } of grants.toReversed()) {
    const name = findGivenName(operations.get(operation), key)
    if (name !== undefined) return name
  }
  return shortId(key)
}

/** Operators and deployers, the recovery key among them; nodes are machines. */
export const isPerson = ({ role }: Pick<MemberRow, 'role'>): boolean => role !== 'node'

/**
 * The one member who is called so, or whose key begins so (four characters at least). Those who were removed are found
 * where nobody else is. Throws MAKI_NOT_FOUND, or MAKI_USAGE with their keys where several are.
 */
export function requireMember(rows: readonly MemberRow[], typed: string): MemberRow {
  const wanted = typed.toLowerCase()
  const found = rows.filter(
    ({ name, key }) => name.toLowerCase() === wanted || (wanted.length >= 4 && key.startsWith(wanted)),
  )
  const present = found.filter(({ removed }) => removed === null)
  const [only, second] = present.length > 0 ? present : found
  if (only === undefined) {
    const names = rows.filter(({ removed }) => removed === null).map(({ name }) => name)
    const nearest = findNearest(typed, names)
    throw new MakiError('MAKI_NOT_FOUND', `there is no member ${JSON.stringify(typed)}`, {
      hint: nearest ?? 'maki operator list shows them.',
    })
  }
  if (second === undefined) return only
  const list = (present.length > 0 ? present : found).map(({ name, key, role }) => `${shortId(key)}  ${role} ${name}`)
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(typed)} fits ${list.length} members`, {
    hint: `Name it by its key:\n${list.join('\n')}`,
  })
}
