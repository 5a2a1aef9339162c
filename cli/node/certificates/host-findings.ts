import {
  asMakiError,
  type Cancel,
  type HostFacts,
  type Hostname,
  type Log,
  type NodeView,
  type Runtime,
} from '../../../core/index.ts'
import type { LookUpHost } from './look-up-host.ts'

export interface HostFindingsOptions {
  readonly lookUp: LookUpHost
  readonly nodes: () => readonly NodeView[]
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after' | 'random'>
  readonly log: Log
  /** Told when something was found. */
  readonly changed: () => void
}

const MINUTE_MS = 60_000
/** A host that leads here seldom ceases to; one that somebody is pointing here should not wait long. */
const AGAIN_MS = {
  delegated: 60 * MINUTE_MS,
  ours: 60 * MINUTE_MS,
  elsewhere: 5 * MINUTE_MS,
  unknown: MINUTE_MS,
} as const
/** Many hosts, and a resolver that is somebody's. */
const AT_ONCE = 4
/** A host that nobody asks about any more is forgotten. */
const UNASKED_MS = 24 * 60 * MINUTE_MS

interface Finding {
  facts: HostFacts | undefined
  /** By the clock that does not jump. */
  askMs: number
  neededMs: number
}

/** Where hosts lead: whoever asks of one is told what is known, and it is looked up, now and again. */
export class HostFindings implements Disposable {
  readonly #options: HostFindingsOptions
  readonly #findings = new Map<Hostname, Finding>()
  #asking = 0
  #cancel: Cancel | undefined
  #isClosed = false

  constructor(options: HostFindingsOptions) {
    this.#options = options
  }

  find(host: Hostname): HostFacts | undefined {
    const nowMs = this.#options.runtime.monotonic()
    const known = this.#findings.get(host)
    if (known !== undefined) {
      known.neededMs = nowMs
      return known.facts
    }
    this.#findings.set(host, { facts: undefined, askMs: nowMs, neededMs: nowMs })
    this.#work()
    return undefined
  }

  /** Addresses of nodes are others now: what was concluded of them may be wrong. */
  recheck(): void {
    const nowMs = this.#options.runtime.monotonic()
    for (const finding of this.#findings.values()) finding.askMs = nowMs
    this.#work()
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  #work(): void {
    if (this.#isClosed) return
    this.#cancel?.()
    const nowMs = this.#options.runtime.monotonic()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [host, finding] of this.#findings) {
      if (nowMs - finding.neededMs > UNASKED_MS) this.#findings.delete(host)
      else if (finding.askMs > nowMs) nextMs = Math.min(nextMs, finding.askMs)
      else if (this.#asking < AT_ONCE) {
        finding.askMs = Number.POSITIVE_INFINITY
        this.#asking++
        void this.#ask(host, finding)
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#cancel = this.#options.runtime.after(Math.max(1, nextMs - nowMs), () => this.#work())
  }

  async #ask(host: Hostname, finding: Finding): Promise<void> {
    const { lookUp, nodes, runtime, log, changed } = this.#options
    let pointing: HostFacts['pointing'] = 'unknown'
    try {
      const found = await lookUp(host, nodes())
      pointing = found.pointing
      if (found.pointing !== finding.facts?.pointing) log.info('certificates.host-found', { host, ...found })
      finding.facts = { ...found, foundMs: runtime.now() }
    } catch (error) {
      log.error('certificates.look-up-failed', { host, error: asMakiError(error) })
    } finally {
      this.#asking--
      // Spread, so that nodes that started together do not ask together.
      finding.askMs = runtime.monotonic() + AGAIN_MS[pointing] * (0.9 + runtime.random() / 5)
      if (!this.#isClosed) changed()
      this.#work()
    }
  }
}
