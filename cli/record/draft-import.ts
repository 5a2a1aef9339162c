import {
  type DomainView,
  isWithin,
  MakiError,
  type OwnerName,
  parseOwnerName,
  type RecordValue,
} from '../../core/index.ts'
import type { MasterFault, MasterFile, MasterRecord } from '../../dns/index.ts'

/** What of a file is not taken over. */
export interface LeftOut {
  readonly name: string
  readonly type: string
  /** The first line that has it. */
  readonly line: number
  readonly why: string
}

/** An RRset as the file has it. */
export interface ImportDraft {
  /** Full, without the final dot. */
  readonly name: string
  /** Of its first record. */
  readonly line: number
  readonly value: RecordValue
}

/** The records of a file as RRsets of a domain. */
export interface ImportDrafts {
  readonly drafts: readonly ImportDraft[]
  readonly leftOut: readonly LeftOut[]
  readonly notes: readonly string[]
  readonly faults: readonly MasterFault[]
}

/** What Cloudflare writes for a TTL that it chooses, and what stands for that here; seconds. */
const CLOUDFLARE = { suffix: '.ns.cloudflare.com.', automaticTtl: 1, ttl: 300 } as const
const REASONS = { soa: 'the cluster makes it', signing: 'signatures are not taken over' } as const
const SIGNED =
  'The zone is signed, and will not be here: before its name servers change, have the DS records taken out at the parent, or resolvers refuse every answer.'

/** Groups the records of a file by name and type, without what the cluster does by itself. Pure. */
export function draftImport(
  { apex }: Pick<DomainView, 'apex'>,
  { records, setAside }: Pick<MasterFile, 'records' | 'setAside'>,
  options: { readonly keepNs: boolean },
): ImportDrafts {
  const groups = new Groups(apex)
  for (const { name, type, line, why } of setAside) groups.leaveOut(name, type, line, REASONS[why])
  const notes: string[] = []
  const isCloudflare = records.some(
    ({ name, type, value }) => name === apex && type === 'NS' && value?.endsWith(CLOUDFLARE.suffix),
  )
  const isChosen = ({ ttl }: MasterRecord) => isCloudflare && ttl === CLOUDFLARE.automaticTtl
  if (records.some(isChosen)) {
    notes.push(
      `A TTL of ${CLOUDFLARE.automaticTtl} is how Cloudflare writes "automatic"; ${CLOUDFLARE.ttl} stands for it here.`,
    )
  }
  for (const record of records) {
    const { name, type, line } = record
    if (!isWithin(name, apex)) groups.leaveOut(name, type, line, `it lies outside ${apex}`)
    else if (name === apex && type === 'NS' && !options.keepNs) {
      groups.leaveOut(name, type, line, "your name servers are the cluster's; --keep-ns takes it over")
    } else groups.add(isChosen(record) ? { ...record, ttl: CLOUDFLARE.ttl } : record)
  }
  if (setAside.some(({ why, name }) => why === 'signing' && isWithin(name, apex))) notes.push(SIGNED)
  return groups.finish(notes)
}

interface Group {
  readonly owner: OwnerName
  readonly name: string
  readonly type: string
  readonly line: number
  readonly geo: boolean
  readonly values: Set<string>
  ttl: number
}

class Groups {
  readonly #apex: DomainView['apex']
  readonly #groups = new Map<string, Group>()
  readonly #leftOut = new Map<string, LeftOut>()
  readonly #faults: MasterFault[] = []
  readonly #mixedTtls = new Set<string>()
  #flattened = false

  constructor(apex: DomainView['apex']) {
    this.#apex = apex
  }

  leaveOut(name: string, type: string, line: number, why: string): void {
    const key = `${name} ${type}`
    if (!this.#leftOut.has(key)) this.#leftOut.set(key, { name, type, line, why })
  }

  add(record: MasterRecord): void {
    const { name, line, ttl, value, geo } = record
    // Providers that write a CNAME at the apex answer with the addresses of its target, as our ALIAS does.
    const isFlattened = name === this.#apex && record.type === 'CNAME'
    if (isFlattened) this.#flattened = true
    const type = isFlattened ? 'ALIAS' : record.type
    const group = this.#groups.get(`${name} ${type}`) ?? this.#begin(name, type, line, geo, ttl)
    if (group === undefined) return
    if (group.geo !== geo) {
      const message = `line ${group.line} says otherwise whether the best node answers there`
      this.#faults.push({ line, text: `${name} ${type}`, message, hint: 'Keep one of them.' })
      return
    }
    if (group.ttl !== ttl) this.#mixedTtls.add(`${name} ${type}`)
    group.ttl = Math.min(group.ttl, ttl)
    if (value !== undefined) group.values.add(value)
  }

  finish(notes: readonly string[]): ImportDrafts {
    const drafts = Array.from(this.#groups.values(), ({ name, line, owner, type, ttl, values, geo }) => ({
      name,
      line,
      value: { name: owner, type, ttl, values: [...values].sort(), ...(geo ? { geo } : {}) },
    }))
    return {
      drafts,
      leftOut: [...this.#leftOut.values()],
      notes: [
        ...notes,
        ...(this.#flattened
          ? [`The CNAME of ${this.#apex} becomes an ALIAS: the apex of a domain cannot be a CNAME.`]
          : []),
        ...(this.#mixedTtls.size === 0
          ? []
          : [
              `Records of one name and type share one TTL; the smallest was taken for ${listFew([...this.#mixedTtls])}.`,
            ]),
      ],
      faults: this.#faults,
    }
  }

  #begin(name: string, type: string, line: number, geo: boolean, ttl: number): Group | undefined {
    try {
      const owner = parseOwnerName(`${name}.`, this.#apex)
      const group = { owner, name, type, line, geo, ttl, values: new Set<string>() }
      this.#groups.set(`${name} ${type}`, group)
      return group
    } catch (error) {
      if (!(error instanceof MakiError)) throw error
      this.#faults.push({
        line,
        text: `${name} ${type}`,
        message: error.message,
        hint: error.hint ?? 'Correct the line.',
      })
      return undefined
    }
  }
}

const MAX_LISTED = 10

/** Joined by commas, the first ten. */
export const listFew = (names: readonly string[]): string =>
  `${names.slice(0, MAX_LISTED).join(', ')}${names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : ''}`
