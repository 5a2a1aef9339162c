import type { Host, TextSink } from '../program/host.ts'
import type { PlanLine, SyncEvent, SyncPlan } from '../project/index.ts'
import { createStyle, isInteractive, type Style } from './style.ts'
import { cutToWidth } from './table.ts'
import { count, formatBytes, formatJson, plainLine } from './text.ts'

/**
 * Tells a sync's progress on stderr: a line for each finished step, and on a terminal one that is redrawn while a step
 * runs. With `quiet` (`--json`) only warnings, an object a line. With `dryRun` the plan is the result and goes to stdout.
 */
export class SyncProgress implements Disposable {
  readonly #host: Host
  readonly #quiet: boolean
  readonly #dryRun: boolean
  readonly #isStored: boolean
  readonly #style: Style
  #drawn = false
  #shownPlan = ''
  #sentBytes: number | undefined

  /** `isStored`: what is made stays on this computer until a node is reached. */
  constructor(host: Host, options: { quiet: boolean; dryRun?: boolean; isStored?: boolean }) {
    this.#host = host
    this.#quiet = options.quiet
    this.#dryRun = options.dryRun === true
    this.#isStored = options.isStored === true
    this.#style = createStyle(host.stderr, host.env)
  }

  report(event: SyncEvent): void {
    switch (event.event) {
      case 'hashing':
        this.#draw(`Reading ${event.domain}: ${event.filesDone} of ${count(event.files, 'file')}`)
        break
      case 'warned':
        if (this.#quiet) this.#host.stderr.write(`${formatJson({ warning: event.message })}\n`)
        else this.#line(`${this.#style.warn('Warning:')} ${plainLine(event.message)}`)
        break
      case 'planned':
        this.#plan(event.plan)
        break
      case 'uploading':
        this.#upload(event)
        break
      case 'restarted':
        this.#line(`${this.#style.warn('Again:')} ${plainLine(event.reason)}`)
        break
      case 'published':
        // What was only made here is told in the end, with what to do.
        if (!this.#isStored) this.#line(`${this.#style.good('Published')} ${event.domain}`)
        break
      case 'switched':
        this.#line(`${this.#style.good('Live')}      ${event.domain} on ${plainLine(event.node)}`)
        break
      default:
        event satisfies never
    }
  }

  /** Ends the line that is being redrawn. */
  [Symbol.dispose](): void {
    this.#clear()
  }

  #upload(event: Extract<SyncEvent, { event: 'uploading' }>): void {
    const { blobs, blobsDone, bytes, bytesDone } = event
    if (blobs === 0) return
    if (blobsDone < blobs) {
      const percent = Math.floor((bytesDone / Math.max(bytes, 1)) * 100)
      this.#draw(
        `Sending ${blobsDone} of ${count(blobs, 'blob')}, ${formatBytes(bytesDone)} of ${formatBytes(bytes)} (${percent} %)`,
      )
    } else {
      // The last report of an upload comes more than once.
      if (this.#sentBytes !== bytes)
        this.#line(`${this.#isStored ? 'Stored' : 'Sent'} ${count(blobs, 'blob')}, ${formatBytes(bytes)}`)
      this.#sentBytes = bytes
    }
  }

  #plan(plan: SyncPlan): void {
    const { stdout, env } = this.#host
    const text = formatPlan(plan, this.#dryRun ? createStyle(stdout, env) : this.#style)
    // A sync that begins again because a file changed plans again, mostly the same.
    if (text === '' || text === this.#shownPlan) return
    this.#shownPlan = text
    this.#line(text, { sink: this.#dryRun ? stdout : undefined })
  }

  #line(text: string, options: { sink?: TextSink | undefined } = {}): void {
    if (this.#quiet) return
    this.#clear()
    const sink = options.sink ?? this.#host.stderr
    sink.write(`${text}\n`)
  }

  #draw(text: string): void {
    if (this.#quiet || !isInteractive(this.#host)) return
    const columns = this.#host.stderr.columns || 80
    this.#host.stderr.write(`\r\u001b[2K${cutToWidth(text, columns - 1)}`)
    this.#drawn = true
  }

  #clear(): void {
    if (this.#drawn) this.#host.stderr.write('\r\u001b[2K')
    this.#drawn = false
  }
}

/** A plan in words, domain by domain; empty when nothing is to be done or said. */
export function formatPlan(plan: SyncPlan, style: Style): string {
  return plan.domains
    .filter(({ lines }) => lines.length > 0)
    .map(({ domain, lines }) => [style.bold(domain), ...lines.map((line) => `  ${formatLine(line, style)}`)].join('\n'))
    .join('\n')
}

function formatLine({ kind, text }: PlanLine, style: Style): string {
  const plain = plainLine(text)
  switch (kind) {
    case 'add':
      return `${style.good('+')} ${plain}`
    case 'change':
      return `${style.warn('~')} ${plain}`
    case 'remove':
      return `${style.bad('-')} ${plain}`
    case 'keep':
      return `${style.dim('=')} ${style.dim(plain)}`
    case 'note':
      return `${style.dim('i')} ${plain}`
    default:
      return kind satisfies never
  }
}
