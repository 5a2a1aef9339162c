import { absoluteName, type Hostname, isWithin, MakiError, type RecordValue } from '../../core/index.ts'
import { type ExplicitType, isExplicitType, type NameKey } from '../wire/index.ts'
import { parseAlias } from './alias-data.ts'
import { parseExplicitType } from './explicit-type.ts'
import { parseRdata } from './rdata.ts'
import { MAX_TTL } from './record-value.ts'
import { buildRrset, MAX_RRSET_OCTETS } from './rrset.ts'
import type { Rdata } from './types.ts'

/**
 * What no single value shows. Throws MAKI_INVALID for what `checkAlone` refuses, and for a set that cannot stand beside
 * the others of its name: a CNAME is alone (RFC 1034 section 3.6.2), an ALIAS has no A, AAAA or CNAME beside it, a DS
 * has an NS (RFC 4035 section 2.4). `others` are the domain's records, of which one of the same name and type is replaced
 * and not looked at. Returns what its writer should know: records that a delegation hides.
 */
export function checkRrset(apex: Hostname, record: RecordValue, others: Iterable<RecordValue>): readonly string[] {
  checkAlone(apex, record)
  const rest = Array.from(others).filter((other) => other.name !== record.name || other.type !== record.type)
  const beside = rest.filter((other) => other.name === record.name)
  for (const other of beside) {
    const conflict = findConflict(record.type, other.type)
    if (conflict === undefined) continue
    throw refuseSet(
      apex,
      record,
      `there is a record of type ${other.type} at that name, and ${conflict}`,
      `Remove the ${other.type} record first, or use another name.`,
    )
  }
  if (record.type === 'DS' && !beside.some((other) => other.type === 'NS')) {
    throw refuseSet(
      apex,
      record,
      'nothing is delegated at that name',
      'Write the NS records of that name first; a DS says how the zone behind them is signed.',
    )
  }
  return listHidden(apex, record, rest)
}

/** Why sets of two types cannot have one name, in words; undefined where they can. */
export function findConflict(type: string, other: string): string | undefined {
  if (type === other) return undefined
  const types = [type, other]
  if (types.includes('CNAME')) return 'a CNAME stands alone'
  return types.includes('ALIAS') && (types.includes('A') || types.includes('AAAA'))
    ? 'an ALIAS answers with addresses of its own'
    : undefined
}

/**
 * What a set shows without any other: throws MAKI_INVALID for a TTL out of bounds, values that do not parse or are more
 * than one message can carry, a CNAME or DS at the apex, several targets or itself as target, a delegation of a
 * wildcard, and a geographic set of another type than A and AAAA or with values.
 */
export function checkAlone(apex: Hostname, record: RecordValue): void {
  const type = parseExplicitType(record.type)
  const refuse = (why: string, hint: string) => refuseSet(apex, { ...record, type }, why, hint)
  if (!Number.isSafeInteger(record.ttl) || record.ttl < 0 || record.ttl > MAX_TTL) {
    throw refuse(`its TTL is ${record.ttl}`, `Use whole seconds from 0 to ${MAX_TTL}; 300 is a good start.`)
  }
  checkPlace(type, record, refuse)
  if (record.geo === true) {
    if (type !== 'A' && type !== 'AAAA') {
      throw refuse(
        'only sets of type A and AAAA can hold the addresses of the nodes',
        'Leave geo out, or use A or AAAA.',
      )
    }
    if (record.values.length === 0) return
    throw refuse('it holds the addresses of the nodes, and has values of its own too', 'Leave the values out, or geo.')
  }
  if (record.values.length === 0) throw refuse('it has no value', 'Give a value, or remove the record.')
  if (type === 'CNAME' || type === 'ALIAS') checkTarget(apex, type, record, refuse)
  if (type === 'ALIAS') return
  const rdata: Rdata[] = record.values.map((value) => parseRdata(type, value, apex))
  if (buildRrset(absoluteName(record.name, apex), type, record.ttl, rdata) === undefined) {
    throw refuse(
      `all its values together have more than ${MAX_RRSET_OCTETS} bytes, which no answer can carry`,
      'Use fewer or shorter values.',
    )
  }
}

type RefuseSet = (why: string, hint: string) => MakiError

function checkPlace(type: ExplicitType, { name }: RecordValue, refuse: RefuseSet): void {
  if (name === '@' && type === 'CNAME') {
    throw refuse(
      'the apex of a domain cannot be a CNAME',
      'Use ALIAS there, which answers with the addresses of its target, or A and AAAA.',
    )
  }
  if (name === '@' && type === 'DS') {
    throw refuse('the DS of a domain is held by its parent', 'Give it to your registrar.')
  }
  if (name.startsWith('*') && (type === 'NS' || type === 'DS')) {
    throw refuse('a wildcard cannot be delegated (RFC 4592 section 4.2)', 'Delegate each name.')
  }
}

function checkTarget(apex: Hostname, type: 'CNAME' | 'ALIAS', record: RecordValue, refuse: RefuseSet): void {
  const { values, name } = record
  if (values.length > 1) throw refuse(`it has ${values.length} values`, `It has exactly one target; keep one.`)
  const [value = ''] = values
  const data = type === 'CNAME' ? parseRdata(type, value, apex) : parseAlias(value, apex)
  if ('target' in data && data.target === absoluteName(name, apex))
    throw refuse('it points at itself', 'Name another target.')
}

function refuseSet(apex: Hostname, { name, type }: RecordValue, why: string, hint: string): MakiError {
  return new MakiError('MAKI_INVALID', `the ${type} record of ${absoluteName(name, apex)} is not possible: ${why}`, {
    hint,
  })
}

/** Below a delegation only the addresses of its own name servers are told, and a DS at it; all else is theirs to answer. */
function listHidden(apex: Hostname, record: RecordValue, others: readonly RecordValue[]): readonly string[] {
  const owner = absoluteName(record.name, apex)
  if (record.type === 'NS' && record.name !== '@') {
    const hidden = others
      .filter((other) => isHidden(apex, other, owner, record.values))
      .map((other) => `${other.type} of ${absoluteName(other.name, apex)}`)
    if (hidden.length === 0) return []
    const more = hidden.length > MAX_LISTED ? ` and ${hidden.length - MAX_LISTED} more` : ''
    return [
      `${owner} is answered by those name servers then, not from here; hidden are: ${hidden.slice(0, MAX_LISTED).join(', ')}${more}.`,
    ]
  }
  return others
    .filter((other) => other.type === 'NS' && other.name !== '@')
    .filter((cut) => isHidden(apex, record, absoluteName(cut.name, apex), cut.values))
    .map((cut) => {
      const name = absoluteName(cut.name, apex)
      return `${name} is delegated, so the ${record.type} record of ${owner} is not answered from here: write it at the name servers of ${name}.`
    })
}

const MAX_LISTED = 5

function isHidden(apex: Hostname, record: RecordValue, cut: NameKey, servers: readonly string[]): boolean {
  const owner = absoluteName(record.name, apex)
  if (!isWithin(owner, cut) || !isExplicitType(record.type)) return false
  if (owner === cut && (record.type === 'NS' || record.type === 'DS')) return false
  const isGlue = (record.type === 'A' || record.type === 'AAAA') && servers.includes(`${owner}.`)
  return !isGlue
}
