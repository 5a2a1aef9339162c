import { parseBlobHash, type Runtime } from '../../core/index.ts'
import { type ControlLogs, FunctionTable, type KeptLine, type LogFilter, type LogQuery } from '../../edge/index.ts'

/** Some thousand lines. */
const MAX_BYTES = 512 * 1024
/** A longer line is not kept: none of ours is. */
const MAX_LINE_BYTES = 32 * 1024

interface Entry extends KeptLine {
  readonly number: number
  readonly bytes: number
}

/** The last lines of a node's log, its workers' among them, up to a number of bytes; and whoever follows them. */
export class LogTail implements ControlLogs {
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #maxBytes: number
  /** Tells the lines of one life of the process from those of another. */
  readonly #life: string
  readonly #followers = new Set<(entry: Entry) => void>()
  #entries: Entry[] = []
  #bytes = 0
  #next = 1

  constructor(runtime: Pick<Runtime, 'now' | 'randomBytes'>, maxBytes = MAX_BYTES) {
    this.#runtime = runtime
    this.#maxBytes = maxBytes
    this.#life = Buffer.from(runtime.randomBytes(9)).toString('base64url')
  }

  /** A line as it is written: a JSON object. Anything else is left out. */
  add(text: string): void {
    const bytes = Buffer.byteLength(text)
    if (bytes > MAX_LINE_BYTES) return
    const line = findLine(text)
    if (line === undefined) return
    const dated = 'time' in line ? line : { time: new Date(this.#runtime.now()).toISOString(), ...line }
    const number = this.#next++
    const entry = { number, bytes, cursor: `${this.#life}-${number}`, line: dated }
    this.#entries.push(entry)
    this.#bytes += bytes
    this.#forget()
    for (const tell of this.#followers) tell(entry)
  }

  /** Null, as an answer to whoever told them. */
  addAll(texts: readonly string[]): null {
    for (const text of texts) this.add(text)
    return null
  }

  read({ after, ...filter }: LogQuery): readonly KeptLine[] {
    const fits = buildTest(filter)
    const from = this.#numberOf(after)
    return this.#entries.filter((entry) => entry.number > from && fits(entry.line)).map(show)
  }

  follow(filter: LogFilter, listener: (line: KeptLine) => void): () => void {
    const fits = buildTest(filter)
    const tell = (entry: Entry): void => {
      if (fits(entry.line)) listener(show(entry))
    }
    this.#followers.add(tell)
    return () => this.#followers.delete(tell)
  }

  #numberOf(cursor: string | undefined): number {
    const number = cursor?.startsWith(`${this.#life}-`) ? Number(cursor.slice(this.#life.length + 1)) : 0
    return Number.isSafeInteger(number) ? number : 0
  }

  #forget(): void {
    let count = 0
    while (this.#bytes > this.#maxBytes) this.#bytes -= this.#entries[count++]?.bytes ?? 0
    // In one go, since the rest is moved each time.
    if (count > 0) this.#entries = this.#entries.slice(count)
  }
}

const show = ({ cursor, line }: Entry): KeptLine => ({ cursor, line })

function findLine(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** Lines of guests name the component differently, by what they are about. */
const COMPONENT_FIELDS = ['function', 'transform', 'name'] as const

function buildTest({ domain, function: typed }: LogFilter): (line: KeptLine['line']) => boolean {
  const isOf = typed === undefined ? undefined : buildFunctionTest(typed)
  return (line) =>
    (domain === undefined || line.domain === domain) &&
    (isOf === undefined || COMPONENT_FIELDS.some((field) => typeof line[field] === 'string' && isOf(line[field])))
}

/** Whether a component is meant by its path, or by a path that leads to it as a function. */
function buildFunctionTest(typed: string): (component: string) => boolean {
  const path = typed.replace(/^\/+|\/+$/g, '')
  const known = new Map<string, boolean>()
  return (component) => {
    let isMeant = known.get(component)
    if (isMeant === undefined) {
      isMeant = component === path || component === `${path}.wasm` || leadsTo(path, component)
      if (known.size < 1000) known.set(component, isMeant)
    }
    return isMeant
  }
}

/** Where a route leads does not depend on it. */
const ANY_BLOB = parseBlobHash('0'.repeat(64))

const leadsTo = (path: string, component: string): boolean =>
  component.endsWith('.wasm') && new FunctionTable([{ path: component, component: ANY_BLOB }]).find(path) !== undefined
