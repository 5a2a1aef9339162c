import {
  absoluteName,
  type DomainView,
  type Entry,
  type Hostname,
  MakiError,
  type OwnerName,
  type RecordValue,
} from '../../core/index.ts'
import { checkRrset, isReplacedBy, type MasterFault, type MasterFile } from '../../dns/records/index.ts'
import type { AutomaticSet } from './automatic-sets.ts'
import { draftImport, type ImportDraft, type LeftOut, listFew } from './draft-import.ts'
import type { RecordChange } from './plan-record.ts'

/** How a file is taken over. */
export interface ImportOptions {
  /** Records that the file does not have are removed. */
  readonly replace: boolean
  /** The NS records of the apex are taken over. */
  readonly keepNs: boolean
}

/** An RRset as it will be, and as it was. */
export interface PlannedSet {
  /** Full, without the final dot. */
  readonly name: string
  readonly after: RecordValue | undefined
  readonly before: Entry<RecordValue> | undefined
}

/** What an import comes to. */
export interface ImportPlan {
  /** Removals first, since a CNAME stands alone. */
  readonly changes: readonly RecordChange[]
  readonly added: readonly PlannedSet[]
  readonly changed: readonly PlannedSet[]
  readonly removed: readonly PlannedSet[]
  /** RRsets of the file that are there already. */
  readonly same: number
  readonly leftOut: readonly LeftOut[]
  readonly notes: readonly string[]
  /** What cannot be taken over though each line can be read; the changes leave it out. */
  readonly faults: readonly MasterFault[]
}

/** As operations allow. */
const MAX_VALUES = 1000
const TAKE_AWAY =
  'Remove what is there first (maki record remove), or let the file take the place of all records with --replace.'

/** Compares a file with the records of a domain. Pure; `automatic` are the domain's, as they are answered now. */
export function planImport(
  domain: DomainView,
  automatic: readonly AutomaticSet[],
  file: Pick<MasterFile, 'records' | 'setAside'>,
  options: ImportOptions,
): ImportPlan {
  const { apex } = domain
  const read = draftImport(domain, file, options)
  const ours = Map.groupBy(automatic, ({ name }) => name)
  const present = new Map(domain.records.map((entry) => [keyOf(entry.value), entry]))
  const isLeft = (draft: ImportDraft) => !present.has(keyOf(draft.value)) && isAutomatic(draft, ours.get(draft.name))
  const wanted = read.drafts.filter((draft) => !isLeft(draft))
  const leftOut = [
    ...read.leftOut,
    ...read.drafts
      .filter(isLeft)
      .map(({ name, line, value: { type } }) => ({ name, type, line, why: 'the cluster answers so by itself' })),
  ]
  const removed = options.replace ? listRemoved(domain, wanted, leftOut) : []
  const gone = new Set(removed.flatMap(({ before }) => (before === undefined ? [] : [keyOf(before.value)])))
  const zone = new FutureZone(
    apex,
    wanted,
    domain.records.map(({ value }) => value).filter((value) => !gone.has(keyOf(value))),
  )
  const faults: MasterFault[] = [...read.faults]
  const hidden: string[] = []
  const possible = wanted.filter((draft) => {
    const before = present.get(keyOf(draft.value))
    // What is there already, and perhaps in conflict with what is there too, is no matter of the file.
    if (before !== undefined && isSame(before.value, draft.value)) return true
    const found = zone.check(draft)
    if ('fault' in found) faults.push(found.fault)
    else hidden.push(...found.notes)
    return 'notes' in found
  })
  const sets = possible.map(
    ({ name, value }): PlannedSet => ({ name, after: value, before: present.get(keyOf(value)) }),
  )
  const added = sets.filter(({ before }) => before === undefined)
  const changed = sets.filter(
    ({ after, before }) => before !== undefined && !isSame(before.value, after as RecordValue),
  )
  return {
    changes: [...removed, ...added, ...changed].map((set) => toChange(apex, set)),
    added,
    changed,
    removed,
    same: sets.length - added.length - changed.length,
    leftOut,
    notes: [
      ...read.notes,
      ...noteReplaced(apex, added, ours),
      ...noteProjects([...changed, ...removed]),
      ...few(hidden),
    ],
    faults,
  }
}

const keyOf = ({ name, type }: Pick<RecordValue, 'name' | 'type'>): string => `${name} ${type}`

function isAutomatic({ value }: ImportDraft, ours: readonly AutomaticSet[] = []): boolean {
  const set = ours.find(({ type }) => type === value.type)
  return set !== undefined && value.geo !== true && set.values.join('\n') === value.values.join('\n')
}

/** What the file names and does not take over, like the NS of the apex, stays as it is. */
function listRemoved(
  { apex, records }: DomainView,
  wanted: readonly ImportDraft[],
  leftOut: readonly LeftOut[],
): readonly PlannedSet[] {
  const named = new Set([
    ...wanted.map(({ name, value: { type } }) => `${name} ${type}`),
    ...leftOut.map((left) => `${left.name} ${left.type}`),
  ])
  return records.flatMap((before) => {
    const name = absoluteName(before.value.name, apex)
    return named.has(`${name} ${before.value.type}`) ? [] : [{ name, after: undefined, before }]
  })
}

type Checked = { readonly notes: readonly string[] } | { readonly fault: MasterFault }

/** The records as they will be. */
class FutureZone {
  readonly #apex: Hostname
  readonly #wanted: ReadonlyMap<OwnerName, readonly RecordValue[]>
  readonly #kept: ReadonlyMap<OwnerName, readonly RecordValue[]>

  constructor(apex: Hostname, wanted: readonly ImportDraft[], kept: readonly RecordValue[]) {
    this.#apex = apex
    this.#wanted = Map.groupBy(
      wanted.map(({ value }) => value),
      ({ name }) => name,
    )
    this.#kept = Map.groupBy(kept, ({ name }) => name)
  }

  /** Looks at the names that a set can disagree with only: its own, and those above it, where a delegation may stand. */
  check({ name, line, value }: ImportDraft): Checked {
    const fault = (message: string, hint: string) => ({ fault: { line, text: `${name} ${value.type}`, message, hint } })
    if (value.values.length > MAX_VALUES) {
      return fault(`it has ${value.values.length} values, ${MAX_VALUES} are allowed`, 'Use fewer values.')
    }
    const siblings = this.#listSiblings(value)
    const delegations = listAbove(value.name).flatMap((owner) => this.#at(owner).filter(({ type }) => type === 'NS'))
    try {
      return { notes: checkRrset(this.#apex, value, [...this.#at(value.name, siblings), ...delegations]) }
    } catch (error) {
      if (!(error instanceof MakiError)) throw error
      return fault(error.message, this.#isAlsoFaulty(value, siblings) ? (error.hint ?? 'Correct it.') : TAKE_AWAY)
    }
  }

  /** Told once: of a CNAME and its neighbours in the file, the CNAME is in the way. */
  #listSiblings(value: RecordValue): readonly RecordValue[] {
    const siblings = this.#wanted.get(value.name) ?? []
    if (value.type === 'CNAME') return siblings
    return siblings.filter(({ type }) => type !== 'CNAME' && (type !== 'ALIAS' || value.type === 'ALIAS'))
  }

  #at(owner: OwnerName, wanted = this.#wanted.get(owner) ?? []): readonly RecordValue[] {
    const all = this.#wanted.get(owner) ?? []
    const kept = (this.#kept.get(owner) ?? []).filter(({ type }) => !all.some((value) => value.type === type))
    return [...wanted, ...kept]
  }

  /** Whether a set would be refused in an empty domain too. */
  #isAlsoFaulty(value: RecordValue, siblings: readonly RecordValue[]): boolean {
    try {
      checkRrset(this.#apex, value, siblings)
      return false
    } catch {
      return true
    }
  }
}

/** `a.b.c` has `b.c` and `c` above it; the apex delegates nothing. */
function listAbove(owner: OwnerName): OwnerName[] {
  const above: OwnerName[] = []
  for (let dot = owner.indexOf('.'); dot !== -1; dot = owner.indexOf('.', dot + 1)) {
    above.push(owner.slice(dot + 1) as OwnerName)
  }
  return above
}

function toChange(domain: Hostname, { after, before }: PlannedSet): RecordChange {
  if (after !== undefined) return { kind: 'record.set', domain, ...after }
  const { name, type } = (before as Entry<RecordValue>).value
  return { kind: 'record.remove', domain, name, type }
}

const isSame = (a: RecordValue, b: RecordValue): boolean =>
  a.ttl === b.ttl && a.geo === b.geo && a.values.join('\n') === b.values.join('\n')

function noteReplaced(
  apex: Hostname,
  added: readonly PlannedSet[],
  ours: ReadonlyMap<string, readonly AutomaticSet[]>,
): string[] {
  const byName = Map.groupBy(added, ({ name }) => name)
  return few(
    [...byName].flatMap(([name, sets]) => {
      const written = sets.map(({ after }) => after?.type ?? '')
      const types = (ours.get(name) ?? [])
        .map(({ type }) => type)
        .filter((type) => written.some((one) => isReplacedBy(type, one)))
      if (types.length === 0) return []
      const owner = name === apex ? '@' : name
      const replacing = written.filter((one) => types.some((type) => isReplacedBy(type, one)))
      const back = `maki record remove ${apex} ${owner} ${replacing.length > 1 ? 'TYPE' : replacing[0]}`
      return [`It replaces the automatic ${types.join(' and ')} of ${name}; ${back} brings them back.`]
    }),
  )
}

function noteProjects(sets: readonly PlannedSet[]): string[] {
  const projects = [...new Set(sets.flatMap(({ before }) => before?.via ?? []))]
  if (projects.length === 0) return []
  return [
    `Some of them were written by the project ${listFew(projects)}: change its makiatto.toml too, or its next sync decides.`,
  ]
}

const MAX_NOTES = 10

const few = (notes: readonly string[]): string[] =>
  notes.length <= MAX_NOTES
    ? [...notes]
    : [...notes.slice(0, MAX_NOTES), `And ${notes.length - MAX_NOTES} more like that.`]
