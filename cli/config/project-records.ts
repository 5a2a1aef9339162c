import { asMakiError, type Hostname, type OwnerName, parseOwnerName, type RecordValue } from '../../core/index.ts'
import { canonicalRecordValue, checkAlone, findConflict, parseExplicitType } from '../../dns/records/index.ts'
import type { Findings } from './findings.ts'
import type { RecordTable } from './project-schema.ts'
import type { ConfigPath } from './toml.ts'

/** An RRset of the file: sorted distinct values, and the line of its first record. */
export interface RecordSetConfig extends RecordValue {
  readonly line: number
}

interface Draft {
  readonly name: OwnerName
  readonly type: string
  readonly ttl: number
  /** Empty where the set is geographic. */
  readonly values: Set<string>
  geo: boolean
  readonly path: ConfigPath
}

/** Groups a domain's records to RRsets by name and type; what is wrong goes to `findings`. Sorted by name and type. */
export function groupRecords(
  apex: Hostname,
  records: readonly RecordTable[],
  path: ConfigPath,
  findings: Findings,
): readonly RecordSetConfig[] {
  const sets = new Map<string, Draft>()
  for (const [i, record] of records.entries()) {
    const at = [...path, i]
    if (!findings.isSound(at)) continue
    const name = attempt(() => parseOwnerName(record.name, apex), [...at, 'name'], findings)
    const type = attempt(() => parseExplicitType(record.type), [...at, 'type'], findings)
    if (type === undefined) continue
    const value = readValue(apex, type, record, at, findings)
    if (name === undefined || value === undefined) continue
    const key = `${name} ${type}`
    const set = sets.get(key)
    if (set === undefined) {
      const values = new Set(record.geo ? [] : [value])
      sets.set(key, { name, type, ttl: record.ttl, values, geo: record.geo, path: at })
      continue
    }
    const first = findings.line(set.path, 'key')
    if (set.ttl !== record.ttl) {
      const message = `${record.ttl} differs from ${set.ttl} on line ${first}; the ${type} records of ${name} share one TTL`
      findings.fault([...at, 'ttl'], message, { hint: 'Write the same ttl on both (300 where none is written).' })
    }
    if (set.geo !== record.geo) {
      const message = `the ${type} records of ${name} on line ${first} and here are one set: it has values, or geo = true`
      findings.fault([...at, 'geo'], message, { hint: 'Take the values out, or geo.' })
      continue
    }
    if (set.values.has(value) || record.geo)
      findings.warn(at, `the same ${type} record of ${name} stands on line ${first}`)
    if (!record.geo) set.values.add(value)
  }
  for (const set of sets.values()) attempt(() => checkAlone(apex, buildRecord(set)), set.path, findings)
  checkConflicts([...sets.values()], findings)
  return [...sets.values()]
    .map((set) => ({ ...buildRecord(set), line: findings.line(set.path, 'key') }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.type, b.type))
}

const buildRecord = ({ name, type, ttl, values, geo }: Draft): RecordValue => ({
  name,
  type,
  ttl,
  values: [...values].sort(),
  ...(geo ? { geo } : {}),
})

/** The canonical value; of a geographic record nothing, as an empty text. */
function readValue(
  apex: Hostname,
  type: string,
  { value, geo, priority }: RecordTable,
  at: ConfigPath,
  findings: Findings,
): string | undefined {
  if (value === undefined && !geo) {
    findings.fault([...at, 'value'], 'it is missing')
    return undefined
  }
  if (value === undefined) {
    if (priority !== undefined) findings.fault([...at, 'priority'], 'a geographic record has no priority')
    return ''
  }
  if (!geo) return attempt(() => canonicalRecordValue(type, value, { apex, priority }), [...at, 'value'], findings)
  const message = 'with geo = true the record holds the addresses of the nodes, and has no value of its own'
  findings.fault([...at, 'value'], message, { hint: 'Take the value out, or geo.' })
  return undefined
}

/** Sets that cannot have one name. Told here rather than by `checkRrset` because of the lines. */
function checkConflicts(sets: readonly Draft[], findings: Findings): void {
  for (const set of sets) {
    if (set.type !== 'CNAME' && set.type !== 'ALIAS') continue
    if (set.type === 'CNAME' && set.name === '@') continue
    for (const other of sets) {
      if (other.name !== set.name || findConflict(set.type, other.type) === undefined) continue
      const line = findings.line(other.path, 'key')
      const article = set.type === 'CNAME' ? 'a' : 'an'
      findings.fault(
        set.path,
        `${set.name} has ${article} ${set.type}, so the ${other.type} record on line ${line} cannot stand there`,
      )
    }
  }
}

function attempt<T>(parse: () => T, path: ConfigPath, findings: Findings): T | undefined {
  try {
    return parse()
  } catch (thrown) {
    const { code, message, hint } = asMakiError(thrown)
    if (code === 'MAKI_INTERNAL') throw thrown
    findings.fault(path, message, { hint })
    return undefined
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
