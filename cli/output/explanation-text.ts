import { type OperationId, shortId } from '../../core/index.ts'
import type { ChoiceStep, ExplainedRecord, ExplainedStep, LookUpStep, ResolvedStep, Written } from '../../dns/index.ts'
import type { AliasStatus } from '../../edge/index.ts'
import type { ExplainReport } from '../explain-report.ts'
import type { Style } from './style.ts'
import { formatTable } from './table.ts'
import { plainLine, plainTexts } from './text.ts'
import { formatAgo, formatDuration } from './when.ts'

/** An explanation as people read it: the way in sentences, the nodes as a table, then the answer. */
export function formatExplanation(told: ExplainReport, nowMs: number, style: Style): string {
  // Whoever has the node may say anything.
  const report = plainTexts(told)
  const { question, asker, node, steps, rcode, answers, authorities, additionals } = report
  const who = asker.subnet === null ? asker.address : `${asker.address} (${asker.subnet})`
  const title = `${style.bold(`${plainLine(question.name)} ${question.type}`)}, as ${plainLine(node)} answers it to ${who}`
  const way = steps.map((step) => formatStep(step, report, nowMs, style)).join('\n')
  const sections = [
    ['', answers],
    ['authority', authorities],
    ['additional', additionals],
  ] as const
  const lines = sections.flatMap(([name, records]) => records.map((record) => formatRecord(record, name, style)))
  const result = rcode === 'NOERROR' ? style.good(rcode) : style.warn(rcode)
  const count = answers.length === 0 ? `${result}, without an answer` : result
  return [
    title,
    way,
    lines.length === 0 ? count : `${count}\n${indent(formatTable(lines, undefined, style.columns))}`,
  ].join('\n\n')
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ')

const formatRecord = ({ name, type, ttl, value }: ExplainedRecord, section: string, style: Style): string[] => [
  plainLine(name),
  String(ttl),
  type,
  plainLine(value),
  style.dim(section),
]

function formatStep(step: ExplainedStep, report: ExplainReport, nowMs: number, style: Style): string {
  switch (step.step) {
    case 'refused':
      return step.why === 'zone-transfer'
        ? 'Zones are handed out to nobody: nodes have them from each other. maki dns export writes them to a file.'
        : `No record is of the type ${report.question.type}, so that nothing answers it.`
    case 'no-zone': {
      const nearest = step.nearest === null ? '' : ` The nearest is ${plainLine(step.nearest)}.`
      return `It lies in no zone of this cluster.${nearest} maki domain list shows them.`
    }
    case 'look-up':
      return formatLookUp(step, report, nowMs, style)
    case 'choice':
      return formatChoice(step, report, style)
    case 'ipv6-idle':
      return `No node answers on IPv6 at present, and some do on IPv4: until then ${plainLine(step.name)} is as if it had no AAAA.`
    case 'resolved':
      return formatResolved(step, report, nowMs)
    default:
      return step satisfies never
  }
}

function formatMissing({ type, types, nodeless = [] }: Extract<LookUpStep, { found: 'nodata' }>): string {
  const has = [...types, ...nodeless.map((other) => `${other} of the nodes`)]
  if (nodeless.includes(type)) return `has ${type}, the addresses of the nodes, and no node has one.`
  if (has.length === 0) return 'exists for the names below it alone, and has nothing.'
  return `has ${has.join(', ')}, and no ${type}.`
}

function formatLookUp(step: LookUpStep, report: ExplainReport, nowMs: number, style: Style): string {
  const name = plainLine(step.name)
  const where = `${plainLine(step.zone)}, serial ${step.serial}: `
  const instead = 'wildcard' in step && step.wildcard !== null ? `, for which ${plainLine(step.wildcard)} stands,` : ''
  switch (step.found) {
    case 'set': {
      const what = { fixed: '', nodes: ', the addresses of the best nodes', alias: '' }[step.kind]
      const target = step.target === null ? '' : ` by an ALIAS for ${plainLine(step.target)}`
      return `${where}${name}${instead} has ${step.type}${what}${target}, ${formatOrigin(step.written, report, nowMs, style)}.`
    }
    case 'cname':
      return `${where}${name}${instead} is a CNAME for ${plainLine(step.target)}, ${formatOrigin(step.written, report, nowMs, style)}.`
    case 'nodata':
      return `${where}${name}${instead} ${formatMissing(step)}`
    case 'nxdomain':
      return `${where}there is no ${name}, and no wildcard *.${plainLine(step.encloser)} to stand for it.`
    case 'delegation':
      return `${where}${plainLine(step.cut)} is delegated to ${step.servers.map(plainLine).join(', ')}, who answer for ${name}; ${formatOrigin(step.written, report, nowMs, style)}.`
    default:
      return step satisfies never
  }
}

function formatOrigin(written: Written | null, { authors }: ExplainReport, nowMs: number, style: Style): string {
  if (written === null) return 'which the cluster makes by itself'
  const { operation, author, at, via } = written
  const who = plainLine(
    (Object.hasOwn(authors, author) ? authors[author] : undefined) ?? shortId(author as string as OperationId),
  )
  const project = via === null ? '' : `, sync of ${plainLine(via)}`
  return `written ${formatAgo(Date.parse(at), nowMs)} by ${who}${project} (${style.name(shortId(operation))})`
}

function formatChoice({ located, candidates }: ChoiceStep, report: ExplainReport, style: Style): string {
  if (candidates.length === 0) return 'No node has an address of that kind.'
  const rows = candidates.map(({ node, address, distanceKm, readiness, why }) => [
    plainLine(node),
    address,
    distanceKm === null ? '-' : `${Math.round(distanceKm)} km`,
    readiness === 'ready' ? style.good(readiness) : style.warn(readiness),
    why === 'chosen' ? style.bold(why) : (REASONS[why] ?? why),
  ])
  const table = formatTable(rows, ['NODE', 'ADDRESS', 'DISTANCE', 'STATE', ''].map(style.bold), style.columns)
  return `${formatPlace(located, report)}\n${indent(table)}`
}

const REASONS: Readonly<Record<Exclude<ChoiceStep['candidates'][number]['why'], 'chosen'>, string>> = {
  held: 'it answers again since a moment only',
  behind: 'it shows what was',
  drained: 'its owner has drained it',
  down: 'it does not answer',
  farther: 'it is farther away',
  'place-unknown': 'nobody knows where it is',
  'not-drawn': 'as good, and another was drawn',
  'same-address': 'it has the same address',
}

function formatPlace(
  { by, source, place, country, scopePrefix }: ChoiceStep['located'],
  { asker }: ExplainReport,
): string {
  const whose = by === 'subnet' ? `the network ${asker.subnet}` : `the address ${asker.address}`
  const scope = asker.subnet === null ? '' : ` The answer holds for its first ${scopePrefix} bits.`
  if (place === null) return `Nobody knows where ${whose} is, so that it draws among all.${scope}`
  const { latitude, longitude } = place
  const north = `${Math.abs(latitude).toFixed(1)} ${latitude < 0 ? 'S' : 'N'}`
  const east = `${Math.abs(longitude).toFixed(1)} ${longitude < 0 ? 'W' : 'E'}`
  const from = source === 'override' ? 'the owner’s file of places' : 'the database'
  return `By ${from}, ${whose} is at ${north}, ${east}${country === null ? '' : ` (${plainLine(country)})`}.${scope}`
}

function formatResolved({ target, found }: ResolvedStep, { aliases }: ExplainReport, nowMs: number): string {
  const status = aliases.find((one) => one.target === target)
  const parts = [`${plainLine(target)} lies outside: ${describeFound(found, status, nowMs)}.`]
  if (status?.failing != null) {
    const duration = formatDuration(nowMs - Date.parse(status.failing.since)) ?? 'a moment'
    parts.push(`Lookups have failed for ${duration}: ${plainLine(status.failing.reason)}.`)
  }
  const refused = status?.refused ?? []
  if (refused.length > 0) parts.push(`Not public, and so not answered: ${refused.map(plainLine).join(', ')}.`)
  return parts.join(' ')
}

function describeFound(found: ResolvedStep['found'], status: AliasStatus | undefined, nowMs: number): string {
  if (found === null) return 'it was never resolved'
  const addresses = [...found.ipv4, ...found.ipv6].map(plainLine)
  const when = status?.since == null ? '' : ` ${formatAgo(Date.parse(status.since), nowMs)}`
  return addresses.length === 0 ? `it had no address${when}` : `it resolved${when} to ${addresses.join(', ')}`
}
