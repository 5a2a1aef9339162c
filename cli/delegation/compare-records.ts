import { formatType, TYPE_CODES, type Zone } from '../../dns/index.ts'
import { quoteForShell } from '../client/identity.ts'
import { formatReceived } from './ask-parent.ts'
import { type DelegationFinding, note, wrong } from './finding.ts'
import { isWithin } from './own-servers.ts'
import { type ReceivedSet, type ReceivedSets, setKey } from './received-sets.ts'
import { isGuessed } from './usual-names.ts'

/** How the present name servers' records compare with ours. */
export interface RecordsComparison {
  /** Sets of records that the present ones have. */
  readonly present: number
  readonly same: number
  /** Sets that only we have. */
  readonly onlyHere: number
  readonly findings: readonly DelegationFinding[]
}

/**
 * Compares what the present name servers answer with what ours do. `who` is how the present one is called. Pure.
 */
export function compareRecords(zone: Zone, who: string, old: ReceivedSets, ours: ReceivedSets): RecordsComparison {
  const findings: DelegationFinding[] = []
  const unknown = new Set(ours.unanswered.map(setKey))
  let present = 0
  let same = 0
  for (const [key, set] of old.sets) {
    if ((isGuessed(zone, set.name) || !ours.sets.has(key)) && isOfWildcard(zone, set, old)) continue
    present++
    const here = ours.sets.get(key) ?? findAlias(set, ours)
    if (here !== undefined && here.type === set.type && isSame(here, set)) same++
    else if (here === undefined && unknown.has(key))
      findings.push(note('records-not-compared', `${nameSet(set)} was not answered by our node`))
    else findings.push(describe(zone, who, set, here))
  }
  const onlyHere = [...ours.sets].filter(([key]) => !old.sets.has(key)).length
  if (old.unanswered.length > 0)
    findings.push(
      note(
        'records-not-compared',
        `${who} left ${old.unanswered.length} questions unanswered: ${tellFew(old.unanswered.map(nameSet))}`,
      ),
    )
  return { present, same, onlyHere, findings }
}

/** What a wildcard makes for a name is no record of that name. */
function isOfWildcard(zone: Zone, set: ReceivedSet, { sets }: ReceivedSets): boolean {
  const star = `*.${zone.apex}`
  if (set.name === star || !isWithin(set.name, zone.apex)) return false
  const wild = sets.get(setKey({ name: star, type: set.type }))
  return wild !== undefined && isSame(wild, set)
}

const findAlias = ({ name }: ReceivedSet, { sets }: ReceivedSets): ReceivedSet | undefined =>
  sets.get(setKey({ name, type: TYPE_CODES.CNAME }))

function isSame(a: ReceivedSet, b: ReceivedSet): boolean {
  const [one, other] = [a, b].map(({ data }) => data.map((octets) => Buffer.from(octets).toString('hex')).join(' '))
  return one === other
}

function describe(zone: Zone, who: string, set: ReceivedSet, here: ReceivedSet | undefined): DelegationFinding {
  const { name, type } = set
  const values = formatValues(set)
  const what = `${nameSet(set)} is ${values.join(', ')} at ${who}`
  const isHost = type === TYPE_CODES.A || type === TYPE_CODES.AAAA || type === TYPE_CODES.CNAME
  if (isHost && [TYPE_CODES.A, TYPE_CODES.AAAA].some((family) => zone.findSet(name, family)?.kind === 'nodes'))
    return note('record-moves', `${what}; here it leads to the nodes, where we serve it`)
  const written = zone.findName(name)?.entries ?? []
  if (type === TYPE_CODES.CAA && name === zone.apex && !written.some(({ value }) => value.type === 'CAA'))
    return note('record-moves', `${what}; here CAA names the authorities that the nodes order from`)
  const command = (verb: 'add' | 'set'): string =>
    [
      ...['maki', 'record', verb, zone.apex, name === zone.apex ? '@' : name.slice(0, -zone.apex.length - 1)],
      ...[formatType(type), ...values, '--ttl', String(set.ttl)],
    ]
      .map(quoteForShell)
      .join(' ')
  if (here === undefined) return wrong('record-missing', `${what}, and missing here`, command('add'))
  const shown = here.type === type ? '' : `${formatType(here.type)} `
  const todo =
    here.type === type ? `If the old one is right: ${command('set')}` : 'maki record list shows what stands here'
  return wrong('record-differs', `${what}, and ${shown}${formatValues(here).join(', ')} here`, todo)
}

const nameSet = ({ name, type }: Pick<ReceivedSet, 'name' | 'type'>): string => `${name} ${formatType(type)}`

const formatValues = ({ type, data }: ReceivedSet): readonly string[] =>
  data.map((octets) => formatReceived(formatType(type), octets)).sort()

const FEW = 5

const tellFew = (names: readonly string[]): string =>
  names.length <= FEW ? names.join(', ') : `${names.slice(0, FEW).join(', ')} and ${names.length - FEW} more`
