import type { Plan } from '../../respond/index.ts'
import type { Site, SiteTable } from '../../site/index.ts'
import type { DateClock } from './date.ts'
import type { RequestHead } from './request-head.ts'

/** What the fast path remembers of an answer: its bytes, and everything that it was decided from. */
export interface MemorisedAnswer {
  readonly plan: Plan
  readonly isHead: boolean
  readonly site: Site
  /** Of what else it was decided from; see `AnswererOptions.epoch`. */
  epoch: number
  /** Numbered fields that the decision asked for and the request lacked, one bit each. */
  readonly absent: number
  /** Numbered fields that it asked for and found, with their values. */
  readonly values: readonly (readonly [field: number, value: string])[]
  readonly bodyBytes: number
  /** Of the bytes, where who writes them has to know: HTTP/2 frames head and body by themselves. */
  readonly headBytes?: number | undefined
  /** Head and body as sent; Date is written anew where the second has changed. */
  bytes: Buffer
  readonly dateAt: number
  dateTick: number
  /** A socket may hold the bytes still: they are copied before they change. */
  pinned: boolean
}

/** What of a request answers are told apart by. */
export type AskedFields = Pick<RequestHead, 'isHead' | 'present' | 'value'>

/** What the memo knows of a Host header, as it was sent. */
export interface HostEntry {
  /** As `findHost` reads it. */
  readonly host: string
  table: SiteTable
  site: Site
  recent: Map<string, MemorisedAnswer[]>
  older: Map<string, MemorisedAnswer[]>
}

export interface MemoOptions {
  /** Of prepared answers, with what is held beside them. */
  readonly maxBytes: number
  /** The site of a Host header; undefined where its answers are not to be remembered. */
  readonly findSite: (host: string, table: SiteTable) => { readonly host: string; readonly site: Site } | undefined
  readonly date: DateClock
}

/** Per target; one that depends on more than this many spellings of fields is decided each time. */
const MAX_VARIANTS = 16
const MAX_HOSTS = 10_000
/** What an entry costs beside its bytes, roughly: a plan with a dozen headers, and what it depended on. */
const ENTRY_BYTES = 2048

/**
 * Answers that were given before, by what they were decided from: host, target, method, the fields that were read, the
 * site, and the epoch of all else. `respond` is pure, so an answer is good while all of these are the same. Bounded in
 * bytes: what was not asked for during half a budget's worth of others goes.
 */
export class AnswerMemo {
  readonly #options: MemoOptions
  readonly #hosts = new Map<string, HostEntry>()
  #recentBytes = 0

  constructor(options: MemoOptions) {
    this.#options = options
  }

  /** Prepared answers, in bytes of the younger half. */
  get recentBytes(): number {
    return this.#recentBytes
  }

  /** Undefined where answers to the host are not remembered. */
  findHost(host: string, table: SiteTable): HostEntry | undefined {
    const known = this.#hosts.get(host)
    if (known !== undefined && known.table === table) return known
    const found = this.#options.findSite(host, table)
    if (found === undefined) {
      this.#hosts.delete(host)
      return undefined
    }
    if (known !== undefined) {
      known.table = table
      known.site = found.site
      return known
    }
    if (this.#hosts.size >= MAX_HOSTS) this.clear()
    const entry: HostEntry = { ...found, table, recent: new Map(), older: new Map() }
    this.#hosts.set(host, entry)
    return entry
  }

  /**
   * An answer with the present Date; undefined where nothing fits. What was decided in another epoch has to be decided
   * again before it is given.
   */
  find(entry: HostEntry, target: string, head: AskedFields): MemorisedAnswer | undefined {
    let answers = entry.recent.get(target)
    if (answers === undefined) {
      answers = entry.older.get(target)
      if (answers === undefined) return undefined
      entry.older.delete(target)
      this.#keep(entry, target, answers, sizeOf(answers))
    }
    for (let i = 0; i < answers.length; i++) {
      const answer = answers[i] as MemorisedAnswer
      if (answer.isHead !== head.isHead || answer.site !== entry.site) continue
      if ((answer.absent & head.present) !== 0 || !hasValues(head, answer.values)) continue
      if (answer.dateTick !== this.#options.date.tick) this.#redate(answer)
      return answer
    }
    return undefined
  }

  /** Remembers an answer, in place of those that no request can get any more. */
  add(entry: HostEntry, target: string, answer: MemorisedAnswer): void {
    const before = entry.recent.get(target) ?? []
    const live = before.filter((one) => one.site === answer.site && !dependsAlike(one, answer)).slice(1 - MAX_VARIANTS)
    this.#recentBytes -= sizeOf(before) - sizeOf(live)
    this.#keep(entry, target, [...live, answer], sizeOf([answer]))
  }

  clear(): void {
    this.#hosts.clear()
    this.#recentBytes = 0
  }

  #keep(entry: HostEntry, target: string, answers: MemorisedAnswer[], addedBytes: number): void {
    entry.recent.set(target, answers)
    this.#recentBytes += addedBytes
    if (this.#recentBytes > this.#options.maxBytes / 2) this.#age()
  }

  #age(): void {
    this.#recentBytes = 0
    for (const [name, entry] of this.#hosts) {
      entry.older = entry.recent
      entry.recent = new Map()
      if (entry.older.size === 0) this.#hosts.delete(name)
    }
  }

  #redate(answer: MemorisedAnswer): void {
    const { date } = this.#options
    if (answer.pinned) {
      answer.bytes = Buffer.from(answer.bytes)
      answer.pinned = false
    }
    date.bytes.copy(answer.bytes, answer.dateAt)
    answer.dateTick = date.tick
  }
}

function hasValues(head: AskedFields, values: MemorisedAnswer['values']): boolean {
  for (let i = 0; i < values.length; i++) {
    const [field, value] = values[i] as readonly [number, string]
    if (head.value(field) !== value) return false
  }
  return true
}

type Dependencies = Pick<MemorisedAnswer, 'isHead' | 'absent' | 'values'>

function dependsAlike(a: Dependencies, b: Dependencies): boolean {
  if (a.isHead !== b.isHead || a.absent !== b.absent || a.values.length !== b.values.length) return false
  return a.values.every(([field, value], i) => b.values[i]?.[0] === field && b.values[i]?.[1] === value)
}

function sizeOf(answers: readonly MemorisedAnswer[]): number {
  let bytes = 0
  for (const { bytes: prepared, values } of answers) {
    bytes += prepared.length + ENTRY_BYTES
    for (const [, value] of values) bytes += value.length
  }
  return bytes
}
