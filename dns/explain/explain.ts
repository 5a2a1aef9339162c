import { type Entry, type Hostname, MakiError, type RecordValue } from '../../core/index.ts'
import { type AnswerContext, answer, type Step } from '../answer/index.ts'
import type { ClientSubnet, Query, Response } from '../message/index.ts'
import { formatRdata, parseRdata, type Rrset } from '../rdata/index.ts'
import type { Located } from '../steering/index.ts'
import {
  ANY,
  AXFR,
  CLASS_IN,
  encodeWireName,
  formatIp,
  formatType,
  IXFR,
  type NameKey,
  OPCODE_QUERY,
  parentName,
  type RecordType,
} from '../wire/index.ts'
import type { Zone, ZoneSet, ZoneTable } from '../zone/index.ts'
import { type ExplainQuestion, nameQuestionType } from './explain-question.ts'
import type { ChoiceStep, ExplainedRecord, ExplainedStep, Explanation, LookUpStep, Written } from './explanation.ts'

/** Octets that a query of ours could receive over UDP; what does not fit is nobody's question here. */
const UDP_SIZE = 1232

/**
 * Answers a question as it is answered to everybody, and tells the way.
 */
export function explain(question: ExplainQuestion, context: Omit<AnswerContext, 'asker'>): Explanation {
  const steps: ExplainedStep[] = []
  const located: Located[] = []
  // An answer locates its client once, before the first choice: so the place is known when the choice is told.
  const locator: AnswerContext['locator'] = {
    locate(asker, subnet) {
      const found = context.locator.locate(asker, subnet)
      located.push(found)
      return found
    },
  }
  const asker = { address: question.asker, transport: 'tcp' } as const
  const response = answer(buildQuery(question), { ...context, locator, asker }, (step) => {
    steps.push(describeStep(step, located.at(-1)))
  })
  return {
    question: { name: showName(question.name), type: nameQuestionType(question.type) },
    asker: { address: question.asker, subnet: question.subnet === undefined ? null : formatSubnet(question.subnet) },
    steps: steps.length > 0 ? steps : [describeRefusal(question, response, context.table)],
    rcode: response.rcode,
    authoritative: response.authoritative,
    answers: listRecords(response.answers),
    authorities: listRecords(response.authorities),
    additionals: listAdditionals(response),
    scopePrefix: question.subnet === undefined ? null : response.scopePrefix,
  }
}

/** The query that is answered: over TCP, with EDNS, as resolvers ask. */
function buildQuery({ name, type, subnet }: ExplainQuestion): Query {
  return {
    id: 0,
    opcode: OPCODE_QUERY,
    recursionDesired: false,
    question: { name, wireName: encodeWireName(name), type, class: CLASS_IN },
    edns: { version: 0, udpSize: UDP_SIZE, dnssecOk: false, clientSubnet: subnet, cookie: undefined, nsid: false },
  }
}

function describeStep(step: Step, located: Located | undefined): ExplainedStep {
  switch (step.kind) {
    case 'look-up':
      return describeLookUp(step)
    case 'choice':
      return describeChoice(step, located)
    case 'ipv6-idle':
      return { step: 'ipv6-idle', name: showName(step.name) }
    case 'resolved': {
      const { target, found } = step
      const { ipv4, ipv6, ttl } = found ?? { ipv4: [], ipv6: [], ttl: 0 }
      return { step: 'resolved', target: showName(target), found: found === undefined ? null : { ipv4, ipv6, ttl } }
    }
    default:
      return step satisfies never
  }
}

function describeLookUp({ zone, name, type, found }: Extract<Step, { kind: 'look-up' }>): LookUpStep {
  const where = {
    step: 'look-up',
    name: showName(name),
    type: nameQuestionType(type),
    zone: zone.apex,
    serial: zone.serial,
  } as const
  const wildcard = 'wildcard' in found ? (found.wildcard ?? null) : null
  switch (found.kind) {
    case 'set': {
      const { set } = found
      const target = set.kind === 'alias' ? showName(set.target) : null
      // ANY is answered with one set, whose type is told.
      const asked = type === ANY ? { ...where, type: formatType(set.type) } : where
      return { ...asked, found: 'set', kind: set.kind, wildcard, target, written: findWritten(zone, set) }
    }
    case 'cname': {
      const data = found.set.rrset.rdata[0]
      const target = data?.type === 'CNAME' ? showName(data.target) : ''
      return { ...where, found: 'cname', wildcard, target, written: findWritten(zone, found.set) }
    }
    case 'nodata': {
      const types = listTypes(zone, found.wildcard ?? name)
      const nodeless = listNodeless(zone, found.wildcard ?? name, types)
      return { ...where, found: 'nodata', wildcard, types, ...(nodeless.length === 0 ? {} : { nodeless }) }
    }
    case 'nxdomain':
      return { ...where, found: 'nxdomain', encloser: showName(found.encloser) }
    case 'delegation': {
      const { cut } = found
      const servers = cut.rrset.rdata.flatMap((data) => (data.type === 'NS' ? [showName(data.server)] : []))
      return { ...where, found: 'delegation', cut: showName(cut.name), servers, written: findWritten(zone, cut) }
    }
    default:
      return found satisfies never
  }
}

const listTypes = (zone: Zone, name: NameKey): readonly string[] =>
  [...new Set(zone.listSets(name).map(({ type }) => formatType(type)))].sort()

const listNodeless = (zone: Zone, name: NameKey, types: readonly string[]): readonly string[] =>
  zone.findEntries(name).flatMap(({ value: { geo, type } }) => (geo === true && !types.includes(type) ? [type] : []))

/** Also what could not be taken stands among what was written: a set is from the record that says the same. */
function findWritten(zone: Zone, set: ZoneSet): Written | null {
  const entry = zone.findEntries(set.name).find(({ value }) => saysSame(value, set, zone.apex))
  return entry === undefined ? null : describeEntry(entry)
}

function saysSame({ type, geo, values }: RecordValue, set: ZoneSet, apex: Hostname): boolean {
  switch (set.kind) {
    case 'nodes':
      return geo === true && (type === 'A' || type === 'AAAA')
    case 'alias':
      return type === 'ALIAS'
    case 'fixed': {
      const known = formatType(set.type)
      if (type !== known) return false
      const wanted = new Set(values.map((value) => canonical(known, value, apex)))
      return set.rrset.rdata.every((data) => wanted.has(formatRdata(data)))
    }
    default:
      return set satisfies never
  }
}

function canonical(type: RecordType, value: string, apex: Hostname): string {
  try {
    return formatRdata(parseRdata(type, value, apex))
  } catch (error) {
    if (error instanceof MakiError) return value
    throw error
  }
}

const describeEntry = ({ operation, author, stamp, via }: Entry): Written => ({
  operation,
  author,
  at: new Date(stamp.wallMs).toISOString(),
  via: via ?? null,
})

function describeChoice(
  { name, type, choice }: Extract<Step, { kind: 'choice' }>,
  located: Located | undefined,
): ChoiceStep {
  const describe = (candidate: (typeof choice.chosen)[number], why: ChoiceStep['candidates'][number]['why']) => ({
    node: candidate.node.name,
    address: formatRdata(candidate.address),
    distanceKm: candidate.distanceKm ?? null,
    readiness: candidate.readiness,
    why,
  })
  return {
    step: 'choice',
    name: showName(name),
    type: formatType(type),
    located: {
      by: located?.by ?? 'resolver',
      source: located?.source ?? 'unknown',
      place: located?.place ?? null,
      country: located?.country ?? null,
      scopePrefix: located?.scopePrefix ?? 0,
    },
    candidates: [
      ...choice.chosen.map((candidate) => describe(candidate, 'chosen')),
      ...choice.others.map((candidate) => describe(candidate, candidate.why)),
    ],
  }
}

/** Nothing was looked up: the question itself is one that is not answered, or lies in no zone of ours. */
function describeRefusal({ name, type }: ExplainQuestion, { rcode }: Response, table: ZoneTable): ExplainedStep {
  if (type === AXFR || type === IXFR) return { step: 'refused', why: 'zone-transfer' }
  if (rcode !== 'REFUSED') return { step: 'refused', why: 'meta-type' }
  return { step: 'no-zone', nearest: findNearest(name, table) }
}

/** The first by name of the zones that end in the longest part of the name, the top-level domain alone not counted. */
function findNearest(name: NameKey, table: ZoneTable): string | null {
  const apexes = [...table.apexes()].sort()
  for (let end = parentName(name); end?.includes('.'); end = parentName(end)) {
    const found = apexes.find((apex) => apex.endsWith(`.${end}`))
    if (found !== undefined) return found
  }
  return null
}

function listRecords(sets: readonly Rrset[]): readonly ExplainedRecord[] {
  return sets.flatMap(({ name, type, ttl, rdata }) =>
    rdata.map((data) => ({ name: showName(name), type: formatType(type), ttl, value: formatRdata(data) })),
  )
}

/** Glue and the addresses of hosts that the answer names. */
const listAdditionals = ({ glue, additionals }: Response): readonly ExplainedRecord[] =>
  listRecords([...glue, ...additionals])

const showName = (key: NameKey): string => (key === '' ? '.' : key)

const formatSubnet = ({ sourcePrefix, address }: ClientSubnet): string => `${formatIp(address)}/${sourcePrefix}`
