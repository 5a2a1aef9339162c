import type { Cancel, Runtime } from '../../core/index.ts'
import type { SealDuty } from './duty.ts'

/** What the first in rank waits, so that what it hears at once is heard together. */
const FIRST_MS = 100
/** How much longer each next one waits: enough for an operation of the one before to be written and to arrive. */
const STEP_MS = 3000
/** Those far behind wait no longer than this many steps. */
const MAX_STEPS = 5
/** How long a node that cannot open the present epoch waits for a grant before it begins one for all. */
const RENEW_MS = 60_000

/**
 * Who has the key of one node can spoil each new epoch with a few bytes, and every epoch is some hundred bytes for each node and
 * kept for ever: a node begins so many in such a time.
 */
const MAX_BEGUN = 10
const BEGUN_MS = 10 * 60_000

interface Planned {
  readonly sinceMs: number
  /** Drawn once, so that two of one rank do not act at the same moment. */
  readonly jitter: number
}

/** Says when a duty is due: at once for the first in rank, later for others when it stays undone. No polling. */
export class DutyRoster {
  readonly #runtime: Pick<Runtime, 'monotonic' | 'random' | 'after'>
  readonly #look: () => void
  readonly #planned = new Map<string, Planned>()
  readonly #impossible = new Set<string>()
  #cancel: Cancel | undefined
  #wakeAtMs = Number.POSITIVE_INFINITY
  #heldUntilMs = 0
  /** When this node began epochs, lately. */
  #begunMs: readonly number[] = []
  #closed = false
  done = 0

  /** `look` is called when something may be due. */
  constructor(runtime: Pick<Runtime, 'monotonic' | 'random' | 'after'>, look: () => void) {
    this.#runtime = runtime
    this.#look = look
  }

  /** Looks again after `delayMs`, or sooner where that was planned. */
  wake(delayMs: number): void {
    const atMs = this.#runtime.monotonic() + delayMs
    if (this.#closed || this.#wakeAtMs <= atMs) return
    this.#cancel?.()
    this.#wakeAtMs = atMs
    this.#cancel = this.#runtime.after(delayMs, () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY
      this.#look()
    })
  }

  /** Of all present duties those that are due; forgets those that were done by others, and wakes for the next. */
  take(duties: readonly SealDuty[], urgent: boolean): readonly SealDuty[] {
    const nowMs = this.#runtime.monotonic()
    const present = new Set(duties.map(({ id }) => id))
    for (const id of [...this.#planned.keys()]) if (!present.has(id)) this.#planned.delete(id)
    const due: SealDuty[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const duty of duties) {
      if (this.#impossible.has(duty.id)) continue
      const planned = this.#planned.get(duty.id) ?? { sinceMs: nowMs, jitter: this.#runtime.random() }
      this.#planned.set(duty.id, planned)
      const delayMs = urgent && duty.kind !== 'renew' ? 0 : delayOf(duty, planned.jitter)
      const boundMs = duty.kind === 'grant' ? 0 : this.#mayBeginMs()
      const atMs = Math.max(planned.sinceMs + delayMs, this.#heldUntilMs, boundMs)
      if (atMs <= nowMs) due.push(duty)
      else nextMs = Math.min(nextMs, atMs)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.wake(Math.max(1, Math.ceil(nextMs - nowMs)))
    return due
  }

  /** Nothing is due before this time. */
  hold(forMs: number): void {
    this.#heldUntilMs = this.#runtime.monotonic() + forMs
  }

  /** A duty that nobody can do. */
  giveUp(id: string): void {
    this.#impossible.add(id)
  }

  isImpossible(id: string): boolean {
    return this.#impossible.has(id)
  }

  count(changes: number, begins: boolean): void {
    this.done += changes
    if (begins) this.#begunMs = [...this.#begunMs, this.#runtime.monotonic()].slice(-MAX_BEGUN)
    // What was renewed and is not enough waits its full time again.
    this.#planned.clear()
  }

  #mayBeginMs(): number {
    const [oldest] = this.#begunMs
    return oldest === undefined || this.#begunMs.length < MAX_BEGUN ? 0 : oldest + BEGUN_MS
  }

  close(): void {
    this.#closed = true
    this.#cancel?.()
  }
}

function delayOf(duty: SealDuty, jitter: number): number {
  if (duty.kind === 'renew') return RENEW_MS * (1 + jitter / 2)
  if (duty.rank <= 0) return FIRST_MS
  return Math.min(duty.rank, MAX_STEPS) * STEP_MS + jitter * STEP_MS
}
