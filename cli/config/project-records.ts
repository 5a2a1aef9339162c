import { asMakiError, type Hostname, type OwnerName, parseOwnerName, type RecordValue } from '../../core/index.ts'
import { canonicalRecordValue, checkRrset, parseExplicitType } from '../../dns/index.ts'
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
  readonly values: Set<string>
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
    const options = { apex, priority: record.priority }
    const value = attempt(() => canonicalRecordValue(type, record.value, options), [...at, 'value'], findings)
    if (name === undefined || value === undefined) continue
    const key = `${name} ${type}`
    const set = sets.get(key)
    if (set === undefined) {
      sets.set(key, { name, type, ttl: record.ttl, values: new Set([value]), path: at })
      continue
    }
    const first = findings.line(set.path, 'key')
    if (set.ttl !== record.ttl) {
      const message = `${record.ttl} differs from ${set.ttl} on line ${first}; the ${type} records of ${name} share one TTL`
      findings.fault([...at, 'ttl'], message, { hint: 'Write the same ttl on both (300 where none is written).' })
    }
    if (set.values.has(value)) findings.warn(at, `the same ${type} record of ${name} stands on line ${first}`)
    set.values.add(value)
  }
  for (const { name, type, ttl, values, path: at } of sets.values())
    attempt(() => checkRrset(apex, { name, type, ttl, values: [...values] }, []), at, findings)
  checkCnames([...sets.values()], findings)
  return [...sets.values()]
    .map(({ name, type, ttl, values, path: at }) => ({
      name,
      type,
      ttl,
      values: [...values].sort(),
      line: findings.line(at, 'key'),
    }))
    .sort((a, b) => compare(a.name, b.name) || compare(a.type, b.type))
}

/** RFC 1034 section 3.6.2: a CNAME is alone at its name. Told here rather than by `checkRrset` because of the lines. */
function checkCnames(sets: readonly Draft[], findings: Findings): void {
  for (const set of sets) {
    if (set.type !== 'CNAME' || set.name === '@') continue
    for (const other of sets) {
      if (other.name !== set.name || other.type === 'CNAME') continue
      const line = findings.line(other.path, 'key')
      findings.fault(
        set.path,
        `${set.name} has a CNAME, so the ${other.type} record on line ${line} cannot stand there`,
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
