import type { Log, Runtime } from '../../core/index.ts'

/** Whose words these are. */
export interface Printing {
  readonly domain: string
  /** The component's path. */
  readonly name: string
  readonly trace: string
}

/** Bytes that a domain may have in the log at once, and each second. */
const BURST_BYTES = 64 * 1024
const BYTES_PER_SECOND = 8 * 1024
/** What stands around the text of a line. */
const LINE_BYTES = 200
/** Of one line; a longer one is cut. */
const MAX_LINE_CHARS = 4000
/** Of one run. */
const MAX_LINES = 200
const MAX_DOMAINS = 1000
/** Printed at once. */
const MAX_PIECE_BYTES = 128 * 1024

interface Allowance {
  bytes: number
  atMs: number
  lost: number
}

/** Puts what guests print into the log, line by line, as much of it as a domain may. */
export class GuestPrinter {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #domains = new Map<string, Allowance>()

  constructor(ports: { readonly log: Pick<Log, 'info' | 'warn'>; readonly runtime: Pick<Runtime, 'monotonic'> }) {
    this.#log = ports.log
    this.#runtime = ports.runtime
  }

  /** For one run. */
  open(printing: Printing): GuestOutput {
    return new GuestOutput((stream, text) => this.#print(printing, stream, text))
  }

  /** A run failed: a line too, which a domain that fails all the time has no more of than of those that it prints. */
  failed({ domain, name, trace }: Printing, data: { readonly why: string; readonly detail: string }): void {
    const lost = this.#take(domain, Buffer.byteLength(data.detail))
    if (lost !== undefined) this.#log.warn('function.failed', { domain, function: name, trace, ...data, ...lost })
  }

  #print({ domain, name, trace }: Printing, stream: string, text: string): void {
    const lost = this.#take(domain, Buffer.byteLength(text))
    if (lost !== undefined) this.#log.info('function.printed', { domain, function: name, trace, stream, text, ...lost })
  }

  /** Room for one line, and what is to be said of lines before it that had none; undefined where there is no room. */
  #take(domain: string, textBytes: number): { readonly linesLostBefore?: number } | undefined {
    const allowance = this.#allowanceOf(domain)
    const bytes = textBytes + LINE_BYTES
    if (allowance.bytes < bytes) {
      allowance.lost++
      return undefined
    }
    allowance.bytes -= bytes
    const { lost } = allowance
    allowance.lost = 0
    return lost === 0 ? {} : { linesLostBefore: lost }
  }

  #allowanceOf(domain: string): Allowance {
    const nowMs = this.#runtime.monotonic()
    const known = this.#domains.get(domain)
    if (known === undefined) {
      if (this.#domains.size >= MAX_DOMAINS) this.#domains.clear()
      const fresh = { bytes: BURST_BYTES, atMs: nowMs, lost: 0 }
      this.#domains.set(domain, fresh)
      return fresh
    }
    known.bytes = Math.min(BURST_BYTES, known.bytes + ((nowMs - known.atMs) / 1000) * BYTES_PER_SECOND)
    known.atMs = nowMs
    return known
  }
}

/** What one run prints, made into lines. */
export class GuestOutput {
  readonly #print: (stream: string, text: string) => void
  readonly #open = new Map<string, { readonly decoder: TextDecoder; text: string }>()
  #lines = 0

  constructor(print: (stream: string, text: string) => void) {
    this.#print = print
  }

  write(stream: 'stdout' | 'stderr', given: Uint8Array): void {
    // No process of ours says more at once, nor anything that nobody is told of.
    if (this.#lines >= MAX_LINES) return
    const bytes = given.subarray(0, MAX_PIECE_BYTES)
    const open = this.#open.get(stream) ?? { decoder: new TextDecoder(), text: '' }
    this.#open.set(stream, open)
    const lines = (open.text + open.decoder.decode(bytes, { stream: true })).split('\n')
    open.text = (lines.pop() ?? '').slice(0, MAX_LINE_CHARS + 1)
    for (const line of lines) this.#tell(stream, line)
  }

  /** The last line needs no end. */
  close(): void {
    for (const [stream, { text }] of this.#open) if (text !== '') this.#tell(stream, text)
    this.#open.clear()
  }

  #tell(stream: string, line: string): void {
    if (++this.#lines > MAX_LINES) return
    const isLast = this.#lines === MAX_LINES
    const text = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}…` : line
    this.#print(stream, isLast ? `${text} [no more lines of this run are told]` : text)
  }
}
