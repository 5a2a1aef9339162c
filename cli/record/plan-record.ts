import {
  absoluteName,
  type ChangeOf,
  type DomainView,
  type Entry,
  isWithin,
  listDomains,
  listNodes,
  MakiError,
  type OperationId,
  type OwnerName,
  parseOwnerName,
  type RecordValue,
  type State,
} from '../../core/index.ts'
import {
  canonicalRecordValue,
  checkRrset,
  findAddress,
  listReplaced,
  parseExplicitType,
} from '../../dns/records/index.ts'
import { requireDomain } from '../require-domain.ts'
import { listAutomaticSets } from './automatic-sets.ts'

/** What a person asks of an RRset. */
export interface RecordRequest {
  readonly domain: string
  readonly name: string
  readonly type: string
  readonly values: readonly string[]
  readonly ttl?: number | undefined
  readonly priority?: number | undefined
  /** The set holds the address of the best node, and has no values. */
  readonly geo?: boolean | undefined
}

export type RecordChange = ChangeOf<'record.set'> | ChangeOf<'record.remove'>

/** The change that a request comes to; undefined where the RRset is so already. */
export interface RecordPlan {
  readonly change: RecordChange | undefined
  /** The RRset by its full name and type, for messages. */
  readonly what: string
  /** What it was before; undefined where there was none. */
  readonly before: RecordValue | undefined
  /** The values after the change; empty when the RRset goes, and when it is geographic. */
  readonly values: readonly string[]
  /** Whether it holds the address of the best node after the change. */
  readonly geo: boolean
  /** Things to tell before it is done. */
  readonly notes: readonly string[]
}

/** What a record command did, as it prints it. */
export interface RecordResult {
  readonly changed: boolean
  readonly operation: OperationId | null
  readonly record: string
  readonly values: readonly string[]
  /** True for a set that holds the address of the best node. */
  readonly geo: boolean
  /** Where the operation is durable; null while it waits. */
  readonly node: string | null
}

const DEFAULT_TTL = 300

/** The RRset becomes exactly the given values, or with `geo` the address of the best node. Pure; throws MAKI_INVALID, MAKI_NOT_FOUND. */
export function planRecordSet(state: State, request: RecordRequest): RecordPlan {
  const target = readTarget(state, request)
  if (request.geo === true && request.values.length > 0) {
    throw new MakiError('MAKI_INVALID', `${describeTarget(target)} cannot have values and the addresses of the nodes`, {
      hint: 'Give values or --geo.',
    })
  }
  if (request.geo !== true && request.values.length === 0) {
    throw new MakiError('MAKI_INVALID', `${describeTarget(target)} is to be set, and there is no value`, {
      hint: 'Give a value, or --geo for the address of the nearest healthy node.',
    })
  }
  return planValues(state, target, request, canonicalValues(target, request))
}

/** As `planRecordSet`, with the values that are there kept. */
export function planRecordAdd(state: State, request: RecordRequest): RecordPlan {
  const target = readTarget(state, request)
  if (target.before?.value.geo === true) {
    throw new MakiError('MAKI_INVALID', `${describeTarget(target)} holds the address of the best node, and no others`, {
      hint: `To give it values instead: maki record set ${request.domain} ${request.name} ${target.type} VALUES`,
    })
  }
  return planValues(state, target, request, [
    ...(target.before?.value.values ?? []),
    ...canonicalValues(target, request),
  ])
}

/** Takes the given values away, or with none the whole RRset. Throws MAKI_NOT_FOUND for a value that is not there. */
export function planRecordRemove(state: State, request: RecordRequest): RecordPlan {
  const target = readTarget(state, request)
  const { domain, name, type, before } = target
  const what = describeTarget(target)
  const removal = {
    change: { kind: 'record.remove', domain: domain.apex, name, type } as const,
    what,
    before: before?.value,
    values: [],
    geo: false,
    notes: [],
  }
  if (before === undefined) return { ...removal, change: undefined, notes: noteAutomatic(state, target) }
  const notes = [...noteProject(before), ...noteSigned(target)]
  if (request.values.length === 0) return { ...removal, notes }
  const gone = new Set(canonicalValues(target, request))
  const stranger = [...gone].find((value) => !before.value.values.includes(value))
  if (stranger !== undefined) {
    throw new MakiError('MAKI_NOT_FOUND', `${what} has no value ${stranger}`, {
      hint: `It has: ${before.value.values.join(', ')}`,
    })
  }
  const left = before.value.values.filter((value) => !gone.has(value))
  return left.length === 0 ? { ...removal, notes } : planValues(state, target, { ...request, ttl: undefined }, left)
}

interface Target {
  readonly domain: DomainView
  readonly name: OwnerName
  readonly type: string
  readonly before: Entry<RecordValue> | undefined
}

function readTarget(state: State, request: RecordRequest): Target {
  const domain = requireDomain(state, request.domain)
  const name = parseOwnerName(request.name, domain.apex)
  const type = parseExplicitType(request.type)
  const before = domain.records.find(({ value }) => value.name === name && value.type === type)
  return { domain, name, type, before }
}

function canonicalValues({ type, domain }: Target, { values, priority }: RecordRequest): string[] {
  return values.map((value) => canonicalRecordValue(type, value, { priority, apex: domain.apex }))
}

const describeTarget = ({ domain, name, type }: Target): string => `${absoluteName(name, domain.apex)} ${type}`

function planValues(state: State, target: Target, request: RecordRequest, given: readonly string[]): RecordPlan {
  const { domain, name, type, before } = target
  const values = [...new Set(given)].sort()
  const ttl = request.ttl ?? before?.value.ttl ?? DEFAULT_TTL
  const geo = request.geo === true
  const record = { name, type, ttl, values, ...(geo ? { geo } : {}) }
  const hidden = checkRrset(
    domain.apex,
    record,
    domain.records.map(({ value }) => value),
  )
  const plan = { what: describeTarget(target), before: before?.value, values, geo }
  const same =
    before !== undefined &&
    before.value.ttl === ttl &&
    (before.value.geo === true) === geo &&
    before.value.values.join('\n') === values.join('\n')
  if (same) return { ...plan, change: undefined, notes: [] }
  const replaced = before === undefined ? listReplaced(domain, listNodes(state), record) : []
  return {
    ...plan,
    change: { kind: 'record.set', domain: domain.apex, ...record },
    notes: [
      ...noteProject(before),
      ...noteRelative(state, target, request),
      ...hidden,
      ...noteNodeless(state, type, geo),
      ...(replaced.length === 0
        ? []
        : [`It replaces the automatic ${replaced.join(' and ')} of ${absoluteName(name, domain.apex)}.`]),
    ],
  }
}

/** The next sync of a project sets its records again. */
function noteProject(before: Entry<RecordValue> | undefined): string[] {
  if (before?.via === undefined) return []
  return [`The project ${JSON.stringify(before.via)} wrote it: change its makiatto.toml too, or its next sync decides.`]
}

/** What names of the whole internet end in, and hardly any name inside a domain does. */
const PUBLIC_ENDS: ReadonlySet<string> = new Set(['com', 'edu', 'gov', 'net', 'org'])

/** A name that looks like one of another domain, and is written below this one. */
function noteRelative(state: State, { domain, name, before }: Target, { name: typed }: RecordRequest): string[] {
  const isRelative = typed.trim().toLowerCase() === name
  if (before !== undefined || !isRelative || !name.includes('.')) return []
  const isPublic = PUBLIC_ENDS.has(name.slice(name.lastIndexOf('.') + 1))
  // The longest is the nearest.
  const other = listDomains(state)
    .map(({ apex }) => apex)
    .filter((apex) => isWithin(name, apex))
    .sort((a, b) => b.length - a.length)[0]
  if (!isPublic && other === undefined) return []
  const written = `This writes ${absoluteName(name, domain.apex)}: a name lies in ${domain.apex}, whatever else it ends in.`
  if (other === undefined) return [written]
  const owner = name.slice(0, -other.length - 1) || '@'
  return [`${written} For ${name}: DOMAIN ${other}, NAME ${owner}.`]
}

/** Such a set is answered with nothing. */
function noteNodeless(state: State, type: string, geo: boolean): string[] {
  const family = type === 'A' ? 'ipv4' : 'ipv6'
  if (!geo || listNodes(state).some((node) => findAddress(node[family], family) !== undefined)) return []
  return [`No node has an ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address: it is answered with nothing until one has.`]
}

/** What the cluster makes by itself is listed with the rest, and cannot be removed. */
function noteAutomatic(state: State, { domain, name, type }: Target): string[] {
  const full = absoluteName(name, domain.apex)
  const isOurs = listAutomaticSets(state, domain).some((set) => set.name === full && set.type === type)
  return isOurs ? [`The cluster makes the ${type} of ${full} by itself; only a record of yours takes its place.`] : []
}

/** A DS without its delegation is not answered. */
function noteSigned({ domain, name, type }: Target): string[] {
  const isSigned = type === 'NS' && domain.records.some(({ value }) => value.name === name && value.type === 'DS')
  return isSigned ? [`Its DS is not answered without it: maki record remove ${domain.apex} ${name} DS`] : []
}
