import { decodeMessage, encodeCanonical } from '../encoding/index.ts'
import { BytesList, Interned, NumberList } from '../packed/index.ts'
import { type Effect, type Effects, type Key, type Scope, scopeOf } from '../state/index.ts'
import { Lines } from './lines.ts'

/** What the histories ask of the operations, which go by their numbers. */
export interface Operations {
  isAncestor(a: number, b: number): boolean
  /** Whether the operation counts now; when that turns, `reconsider` is to be called. */
  counts(operation: number): boolean
  /** In total order. */
  compare(a: number, b: number): number
}

/** What the constructor needs besides the packed lists: plain enough for MessagePack. */
export interface HistoriesHead {
  readonly keys: readonly Key[]
  readonly scopes: readonly Scope[]
  readonly vias: readonly string[]
}

/**
 * Which operations touched each key, and which of them no later one has seen. Operations are recorded in causal order,
 * so a new one can only push others out of a frontier, never land behind one.
 *
 * A *touch* is one operation's effect on one key, or its removal of a scope; it goes by its number. Values are kept in
 * canonical MessagePack and decoded where they win: a key that is written a thousand times has one value in use.
 */
export class Histories {
  readonly #operations: Operations
  readonly #keys: Lines
  readonly #removals: Lines
  /** Of each touch: the operation; twice the number of its key, or twice that of its scope and one. */
  readonly #by: NumberList
  readonly #lines: NumberList
  /** Of each touch: its value in `#bytes` (no bytes: it removes), and the project that wrote it (0: none). */
  readonly #offsets: NumberList
  readonly #lengths: NumberList
  readonly #via: NumberList
  readonly #bytes: BytesList
  readonly #vias: Interned
  /** Where the touches of each operation end. */
  readonly #ends: NumberList
  /** Of each touch: the one before it on its line, and one; 0 where there is none. */
  readonly #before = new NumberList('uint32')

  /** With `head` and `lists` as from `pack`; `relink` then makes them usable. */
  constructor(operations: Operations, head?: HistoriesHead, lists: readonly Uint8Array[] = []) {
    const [by, lines, offsets, lengths, via, ends, ...pieces] = lists
    this.#operations = operations
    this.#keys = new Lines(head?.keys)
    this.#removals = new Lines(head?.scopes)
    this.#vias = new Interned(head?.vias)
    this.#by = new NumberList('uint32', by)
    this.#lines = new NumberList('uint32', lines)
    this.#offsets = new NumberList('uint32', offsets)
    this.#lengths = new NumberList('uint32', lengths)
    this.#via = new NumberList('uint32', via)
    this.#ends = new NumberList('uint32', ends)
    this.#bytes = new BytesList(pieces)
  }

  /** Every key that was ever touched. */
  keys(): readonly Key[] {
    return this.#keys.names()
  }

  /** Every key of a scope that was ever touched. */
  *keysIn(scope: Scope): Generator<Key> {
    const line = this.#removals.find(scope)
    if (line !== undefined) for (const key of this.#removals.members(line)) yield this.#keys.name(key)
  }

  /** Files the next operation under every key and scope that it touches. */
  record(operation: number, effects: Effects): void {
    const first = this.#by.length
    for (const [key, effect] of effects.keys) this.#push(operation, this.#keyLine(key) * 2, effect)
    for (const scope of effects.removedScopes) this.#push(operation, this.#removals.add(scope) * 2 + 1, undefined)
    for (let touch = first; touch < this.#by.length; touch++) this.#append(touch)
    this.#ends.push(this.#by.length)
  }

  /** After packed lists were taken over: files every touch again. */
  relink(): void {
    for (let number = 0; number < this.#keys.size; number++) this.#fileUnderScope(this.#keys.name(number), number)
    for (let touch = 0; touch < this.#by.length; touch++) this.#append(touch)
  }

  /** The keys whose value an operation has a say in. */
  *keysOf(operation: number): Generator<Key> {
    for (let touch = this.#start(operation); touch < this.#ends.at(operation); touch++) {
      const line = this.#lines.at(touch)
      if (line % 2 === 0) yield this.#keys.name(line / 2)
      else for (const key of this.#removals.members((line - 1) / 2)) yield this.#keys.name(key)
    }
  }

  /** To be called when it has turned whether an operation counts; returns the keys to look at. */
  reconsider(operation: number): Iterable<Key> {
    for (let touch = this.#start(operation); touch < this.#ends.at(operation); touch++) {
      const line = this.#lines.at(touch)
      this.#linesOf(line).setFrontier(line >> 1, undefined)
    }
    return this.keysOf(operation)
  }

  /** The frontier of a key, greatest first: what the first of these touches says is the key's value. */
  frontier(key: Key): readonly number[] {
    const own = this.#frontierOf(this.#keys, this.#keys.find(key))
    const removals = this.#frontierOf(this.#removals, this.#removals.find(scopeOf(key)))
    if (removals.length === 0) return own
    const { isAncestor } = this.#operations
    const isSeen = (touch: number, others: readonly number[]) =>
      others.some((other) => isAncestor(this.by(touch), this.by(other)))
    const setting = own.filter((touch) => !isSeen(touch, removals))
    // No removal was seen by what another has seen: they would not stand side by side.
    if (setting.length === 0) return removals
    const setters = new Set(setting.map((touch) => this.by(touch)))
    // An operation that removes a scope and sets a key in it keeps what it set.
    const removing = removals.filter((touch) => !setters.has(this.by(touch)) && !isSeen(touch, setting))
    return this.#greatestFirst([...setting, ...removing])
  }

  /** Counted operations that touch the key or remove its scope; the latest recorded of each kind first. */
  *touching(key: Key): Generator<number> {
    for (const touch of this.#touches(this.#keys, this.#keys.find(key))) yield this.by(touch)
    for (const touch of this.#touches(this.#removals, this.#removals.find(scopeOf(key)))) {
      if (!this.#sets(this.by(touch), key)) yield this.by(touch)
    }
  }

  /** The operation of a touch. */
  by(touch: number): number {
    return this.#by.at(touch)
  }

  /** What a touch makes of its key. The value is the caller's own. */
  effect(touch: number): Effect {
    const via = this.#via.at(touch)
    const length = this.#lengths.at(touch)
    return {
      // Copied: what is binary in it would else hold, and carry to other processes, all that lies beside.
      value: length === 0 ? undefined : decodeMessage(new Uint8Array(this.#valueBytes(touch))),
      via: via === 0 ? undefined : this.#vias.at(via - 1),
    }
  }

  /** True when two touches say the same of a key. */
  agree(a: number, b: number): boolean {
    return Buffer.compare(this.#valueBytes(a), this.#valueBytes(b)) === 0
  }

  /** Everything as the constructor takes it: views and copies, which later operations leave as they are. */
  pack(): { readonly head: HistoriesHead; readonly lists: readonly Uint8Array[] } {
    return {
      head: { keys: this.#keys.names(), scopes: this.#removals.names(), vias: this.#vias.texts() },
      lists: [
        ...[this.#by, this.#lines, this.#offsets, this.#lengths, this.#via, this.#ends].map((list) => list.bytes()),
        ...this.#bytes.pieces(),
      ],
    }
  }

  #start(operation: number): number {
    return operation === 0 ? 0 : this.#ends.at(operation - 1)
  }

  #valueBytes(touch: number): Uint8Array {
    const length = this.#lengths.at(touch)
    return length === 0 ? new Uint8Array() : this.#bytes.at(this.#offsets.at(touch), length)
  }

  /** Whether an operation that removes the key's scope touches the key itself too. */
  #sets(operation: number, key: Key): boolean {
    const line = this.#keys.find(key)
    for (let touch = this.#start(operation); touch < this.#ends.at(operation); touch++) {
      if (line !== undefined && this.#lines.at(touch) === line * 2) return true
    }
    return false
  }

  #linesOf(line: number): Lines {
    return line % 2 === 0 ? this.#keys : this.#removals
  }

  #keyLine(key: Key): number {
    const known = this.#keys.find(key)
    if (known !== undefined) return known
    const number = this.#keys.add(key)
    this.#fileUnderScope(key, number)
    return number
  }

  #fileUnderScope(key: Key, number: number): void {
    this.#removals.addMember(this.#removals.add(scopeOf(key)), number)
  }

  #push(operation: number, line: number, effect: Effect | undefined): void {
    const bytes = effect?.value === undefined ? undefined : encodeCanonical(effect.value)
    this.#by.push(operation)
    this.#lines.push(line)
    this.#offsets.push(bytes === undefined ? 0 : this.#bytes.push(bytes))
    this.#lengths.push(bytes?.length ?? 0)
    this.#via.push(effect?.via === undefined ? 0 : this.#vias.add(effect.via) + 1)
  }

  #append(touch: number): void {
    const line = this.#lines.at(touch)
    const lines = this.#linesOf(line)
    this.#before.push(lines.last(line >> 1) + 1)
    lines.setLast(line >> 1, touch)
    const by = this.by(touch)
    const frontier = lines.frontier(line >> 1)
    if (frontier === undefined || !this.#operations.counts(by)) return
    const next = frontier.filter((other) => !this.#operations.isAncestor(this.by(other), by))
    // In its place rather than sorted: whoever forks without end makes frontiers of thousands.
    let [from, to] = [0, next.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.#operations.compare(this.by(next[middle] as number), by) > 0) from = middle + 1
      else to = middle
    }
    next.splice(from, 0, touch)
    lines.setFrontier(line >> 1, next)
  }

  #greatestFirst(touches: number[]): number[] {
    return touches.sort((a, b) => this.#operations.compare(this.by(b), this.by(a)))
  }

  *#touches(lines: Lines, number: number | undefined): Generator<number> {
    if (number === undefined) return
    for (let touch = lines.last(number); touch >= 0; touch = this.#before.at(touch) - 1) {
      if (this.#operations.counts(this.by(touch))) yield touch
    }
  }

  /** Greatest first. */
  #frontierOf(lines: Lines, number: number | undefined): readonly number[] {
    if (number === undefined) return []
    const known = lines.frontier(number)
    if (known !== undefined) return known
    const frontier = this.#greatestFirst(this.#maximal([...this.#touches(lines, number)].reverse()))
    lines.setFrontier(number, frontier)
    return frontier
  }

  /** Those that no other descends from. */
  #maximal(touches: readonly number[]): number[] {
    const { isAncestor } = this.#operations
    let frontier: number[] = []
    for (const touch of touches) {
      const by = this.by(touch)
      if (frontier.some((other) => isAncestor(by, this.by(other)))) continue
      frontier = frontier.filter((other) => !isAncestor(this.by(other), by))
      frontier.push(touch)
    }
    return frontier
  }
}
