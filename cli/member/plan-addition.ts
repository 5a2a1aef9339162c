import {
  type Change,
  findDomain,
  type Hostname,
  isRemoved,
  MakiError,
  type MemberKey,
  roleOf,
  type State,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'
import { listDomainsOf, type MemberRow } from './members.ts'

export interface AdditionRequest {
  readonly name: string
  readonly key: MemberKey
  readonly role: 'operator' | 'deployer'
  readonly domains: readonly Hostname[]
}

/** What an addition writes; undefined where all of it is so already. `notes` are worth a look. */
export interface AdditionPlan {
  readonly change: Extract<Change, { kind: 'operator.add' }> | undefined
  readonly domains: readonly Hostname[] | null
  readonly notes: readonly string[]
}

const MAX_NAME_LENGTH = 100

/**
 * Plans to admit a key, or to give a member more. Pure. Throws MAKI_INVALID, MAKI_USAGE, and MAKI_CONFLICT for a key that can
 * never be what is asked: one that was removed, the recovery key, a node's.
 */
export function planAddition(
  replica: Pick<Replica, 'findMember'> & { readonly state: State },
  rows: readonly MemberRow[],
  { name, key, role, domains }: AdditionRequest,
): AdditionPlan {
  checkName(name)
  if (role === 'deployer' && domains.length === 0)
    throw new MakiError('MAKI_USAGE', 'a deployer is admitted for domains, and none is named', {
      hint: `maki operator add ${name} ${key} --role deployer --domain example.com`,
    })
  if (role === 'operator' && domains.length > 0)
    throw new MakiError('MAKI_USAGE', 'an operator is not bound to domains', {
      hint: 'Leave --domain out, or add --role deployer.',
    })
  const known = replica.findMember(key)
  const row = rows.find((each) => each.key === key)
  if (known !== undefined && row !== undefined) {
    if (isRemoved(known)) throw neverReturns(row)
    const present = roleOf(known)
    if (present === 'recovery')
      throw conflict(
        'this is the recovery key, which outranks every operator',
        'It is kept offline. maki operator key prints the key of a computer.',
      )
    if (present === 'node')
      throw conflict(`this is the key of the node ${row.name}`, 'maki operator key prints the key of a computer.')
    if (present === 'operator' && role === 'deployer')
      throw conflict(
        `${row.name} is an operator, and being added as a deployer would take nothing away`,
        `Make a new key for the deployer, or first: maki operator remove ${row.name}`,
      )
  }
  // Each addition is judged by itself, so a later one repeats what the ones before gave.
  const all =
    role === 'deployer' ? [...new Set([...(known === undefined ? [] : listDomainsOf(known)), ...domains])].sort() : null
  const isSame =
    row !== undefined &&
    row.name === name &&
    row.role === role &&
    (all === null || known?.grants.some((grant) => all.every((domain) => grant.domains.includes(domain))) === true)
  const notes: string[] = []
  if (rows.some((each) => each.key !== key && each.removed === null && each.name.toLowerCase() === name.toLowerCase()))
    notes.push(`another member is called ${name} too: name them by their keys`)
  for (const domain of domains)
    if (findDomain(replica.state, domain) === undefined) notes.push(`there is no domain ${domain} yet`)
  const change: AdditionPlan['change'] = {
    kind: 'operator.add',
    key,
    name,
    role,
    ...(all === null ? {} : { domains: all }),
  }
  return { change: isSame ? undefined : change, domains: all, notes }
}

/** Throws MAKI_INVALID for what is no name that people could tell apart and type. */
export function checkName(name: string): void {
  const refuse = (why: string) =>
    new MakiError('MAKI_INVALID', `${JSON.stringify(name)} is not a name for a member: ${why}`, {
      hint: 'Write a short one, like ann or ci.',
    })
  if (name.trim() !== name || name === '') throw refuse('it is empty, or begins or ends with a space')
  if (name.length > MAX_NAME_LENGTH) throw refuse(`it has more than ${MAX_NAME_LENGTH} characters`)
  if (/\p{C}/u.test(name)) throw refuse('it has characters that cannot be seen')
}

function neverReturns({ name, removed }: MemberRow): MakiError {
  return conflict(
    `this key was removed (${removed?.how}d by ${removed?.by.name}) as ${name}, and a removed key never returns`,
    'Make a new key on that computer: move its operator.key away, then: maki operator key',
  )
}

const conflict = (message: string, hint: string) => new MakiError('MAKI_CONFLICT', message, { hint })
