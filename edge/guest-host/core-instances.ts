import type { CoreState } from '../components/index.ts'

/** A core module, and where the state of its instances is found; undefined where that cannot be told. */
export interface CoreCode {
  readonly module: WebAssembly.Module
  readonly state: CoreState | undefined
}

type Call = (...values: unknown[]) => unknown
type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** A function of the glue that an instance imports: the glue makes others each time, and the instance stays. */
interface Slot {
  call: Call
}

interface TableState {
  readonly table: WebAssembly.Table
  readonly elements: readonly unknown[]
}

/** One instance among those that make up a component, and all that it takes to set it back. */
interface Turn {
  readonly code: CoreCode
  readonly state: CoreState
  readonly exports: WebAssembly.Exports
  readonly imports: readonly (readonly [from: string, name: string, value: unknown, slot: Slot | undefined])[]
  readonly memory: WebAssembly.Memory | undefined
  readonly globals: readonly (readonly [global: WebAssembly.Global, value: unknown])[]
  readonly tables: readonly TableState[]
}

/**
 * The core instances of a component, one life after the other. To make them anew costs most of what a short run costs, and leaves
 * memories to the collector; so they are set back where that is for sure the same: memory, variables and tables are what they
 * were when the instance was made, and what it imports is of the new life. All else is made anew, and so is all of a component
 * of which one memory or table has grown, since neither can shrink.
 *
 * The glue is evaluated for each life either way: nothing of it is used again.
 */
export class CoreInstances {
  #turns: Turn[] = []
  /** Of this life, so many were set back; they come before all that were made. */
  #at = 0
  #isGoingBack = false
  /** In this life all could be set back, so far. */
  #isKnown: boolean
  /** Lives in a row of which something had to be made anew. */
  #misses = 0
  /** Functions that instances export: they stay, too. */
  #lasting = new Set<unknown>()

  /** `codes`: all that there will be instances of. */
  constructor(codes: Iterable<CoreCode>) {
    // Instances are linked to each other: one that is made anew is of no use to those that were set back.
    this.#isKnown = [...codes].every(({ state }) => state !== undefined)
  }

  /** A new life begins; what the last one was handed must not be used any more. */
  begin(): void {
    if (this.#isGoingBack) this.#misses = 0
    this.#at = 0
    this.#isGoingBack = this.#turns.length > 0 && this.#turns.every(isOfSameSize)
    if (!this.#isGoingBack) this.#miss()
  }

  /** Nothing of it is set back any more: the next life is new. */
  forget(): void {
    this.#turns = []
    this.#lasting = new Set()
    this.#isGoingBack = false
    this.#at = 0
  }

  /** In the place of `new WebAssembly.Instance`, asked in the same order in each life. */
  instantiate(code: CoreCode, imports: Imports = {}): { readonly exports: WebAssembly.Exports } {
    const turn = this.#turns[this.#at]
    if (this.#isGoingBack && turn !== undefined && turn.code === code && rebind(turn, imports)) {
      this.#at += 1
      setBack(turn)
      return turn
    }
    if (this.#isGoingBack) this.#miss()
    if (!this.#isKnown) return makeForOneLife(code, imports)
    return this.#make(code, imports)
  }

  /** What comes now is made anew; those that were set back are what they would be if they were new. */
  #miss(): void {
    this.#isGoingBack = false
    this.#turns.length = this.#at
    this.#lasting = new Set(this.#turns.flatMap(({ exports }) => Object.values(exports)))
    this.#misses += 1
    if (this.#misses > MOST_MISSES) this.#isKnown = false
  }

  #make(code: CoreCode, imports: Imports): { readonly exports: WebAssembly.Exports } {
    const { module, state } = code
    if (state === undefined) return makeForOneLife(code, imports)
    const bound = Object.entries(imports).flatMap(([from, values]) =>
      Object.entries(values).map(([name, value]) => [from, name, value, this.#slotFor(value)] as const),
    )
    const given: Record<string, Record<string, unknown>> = {}
    for (const [from, name, value, slot] of bound) {
      given[from] ??= {}
      given[from][name] = slot === undefined ? value : (...values: unknown[]) => slot.call(...values)
    }
    const { exports } = new WebAssembly.Instance(module, given)
    for (const value of Object.values(exports)) this.#lasting.add(value)
    const turn: Turn = {
      code,
      state,
      exports,
      imports: bound,
      memory: state.memory === undefined ? undefined : (exports[state.memory] as WebAssembly.Memory),
      globals: state.globals.map((name) => {
        const global = exports[name] as WebAssembly.Global
        return [global, global.value] as const
      }),
      tables: state.tables.map((name) => lookAt(exports[name] as WebAssembly.Table)),
    }
    start(turn)
    // Whoever changes tables from the start may do so otherwise the next time.
    const isSame = turn.tables.every(({ table, elements }) => elements.every((value, i) => table.get(i) === value))
    if (isSame) this.#turns.push(turn)
    else this.#isKnown = false
    return turn
  }

  #slotFor(value: unknown): Slot | undefined {
    return typeof value === 'function' && !this.#lasting.has(value) ? { call: value as Call } : undefined
  }
}

/** A component whose memory grows each time gains nothing, and need not be looked at each time. */
const MOST_MISSES = 16

function makeForOneLife({ module, state }: CoreCode, imports: Imports): { readonly exports: WebAssembly.Exports } {
  const { exports } = new WebAssembly.Instance(module, imports)
  if (state !== undefined) start({ state, exports })
  return { exports }
}

function lookAt(table: WebAssembly.Table): TableState {
  return { table, elements: Array.from({ length: table.length }, (_, i) => table.get(i)) }
}

function isOfSameSize({ memory, tables, state }: Turn): boolean {
  return (
    (state.memoryBytes === undefined || memory?.buffer.byteLength === state.memoryBytes) &&
    tables.every(({ table, elements }) => table.length === elements.length)
  )
}

/** False where it imports something else than it did. */
function rebind({ imports }: Turn, given: Imports): boolean {
  for (const [from, name, value, slot] of imports) {
    const next = given[from]?.[name]
    if (slot === undefined ? next !== value : typeof next !== 'function') return false
  }
  for (const [from, name, , slot] of imports) if (slot !== undefined) slot.call = given[from]?.[name] as Call
  return true
}

/** In the order of the core specification: elements, then data, then its start. */
function setBack(turn: Turn): void {
  const { globals, tables, memory, state } = turn
  for (const [global, value] of globals) global.value = value
  for (const { table, elements } of tables)
    for (const [i, value] of elements.entries()) if (table.get(i) !== value) table.set(i, value)
  if (memory !== undefined) {
    const bytes = new Uint8Array(memory.buffer)
    if (state.memoryBytes !== undefined) bytes.fill(0)
    for (const segment of state.segments) bytes.set(segment.bytes, segment.offset)
  }
  start(turn)
}

function start({ state, exports }: Pick<Turn, 'state' | 'exports'>): void {
  if (state.start !== undefined) (exports[state.start] as Call)()
}
