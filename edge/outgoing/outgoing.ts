import { networkInterfaces } from 'node:os'
import type { Cancel, Log, Runtime } from '../../core/index.ts'
import type { NetworkServices } from '../guest-contract/index.ts'
import { type AddressPolicy, createPublicPolicy, REFUSAL_REASONS, type RefusalReason } from './address-policy.ts'
import { DomainBudget, type DomainLimits } from './domain-budget.ts'
import type { Refusal } from './grant.ts'
import { createNameResolver } from './name-resolver.ts'
import { OutgoingSession, type SessionLimits } from './outgoing-session.ts'

export interface OutgoingOptions {
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Pick<Log, 'warn'>
  /** Who is asked for names, `192.0.2.1:53` or `[2001:db8::1]:53`; those of the system where none is given. */
  readonly resolvers?: readonly string[]
  /** Addresses that others reach this node by; those of its interfaces are known here. */
  readonly ownAddresses?: () => Iterable<string>
}

/** Counted since the start. */
export interface OutgoingCounters {
  readonly connections: number
  readonly requests: number
  readonly lookups: number
  /** Let through, and failed beyond us. */
  readonly failed: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly refused: Readonly<Record<RefusalReason, number>>
}

/** Whose run it is: `name` is the component's path in the site. */
export interface OutgoingRun {
  readonly domain: string
  readonly name: string
}

/** The network as guests may have it, in one process. */
export interface Outgoing extends AsyncDisposable {
  readonly counters: OutgoingCounters
  /** Connections, requests and look-ups under way. */
  readonly open: number
  /** For one run, which closes it. */
  session(run: OutgoingRun): NetworkServices
}

export interface OutgoingLimits extends DomainLimits, Pick<SessionLimits, 'maxBytes'> {
  readonly maxOpenOfRun: number
}

const MIB = 1024 * 1024
/** In each process that serves. They are told to users. */
export const OUTGOING_LIMITS: OutgoingLimits = {
  maxOpenOfRun: 16,
  maxBytes: 64 * MIB,
  maxOpen: 64,
  maxOpenOfAll: 1024,
  burst: 128,
  perSecond: 64,
  burstBytes: 64 * MIB,
  bytesPerSecond: 16 * MIB,
}

/** Interfaces get addresses while a node runs; to look costs some 50 microseconds. */
const LOOK_AGAIN_MS = 5_000
/** Lines about what was refused to one domain, until the next one is told of. */
const MAX_LINES = 10
const LINES_MS = 10_000
const MAX_TEXT_CHARS = 256

/** Public addresses alone: see `createPublicPolicy`. There is no way around it in any configuration. */
export function openOutgoing(options: OutgoingOptions): Outgoing {
  const { runtime, ownAddresses = () => [] } = options
  let known: readonly string[] = []
  let lookAtMs = Number.NEGATIVE_INFINITY
  const own = () => {
    if (runtime.monotonic() >= lookAtMs) {
      lookAtMs = runtime.monotonic() + LOOK_AGAIN_MS
      known = Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? [])
    }
    return [...known, ...ownAddresses()]
  }
  return createOutgoing(options, createPublicPolicy(own), OUTGOING_LIMITS)
}

/** With a policy of the caller's: for `openOutgoing`, and for tests of what comes after the policy. */
export function createOutgoing(options: OutgoingOptions, policy: AddressPolicy, limits: OutgoingLimits): Outgoing {
  const { runtime, log, resolvers = [] } = options
  const budget = new DomainBudget(limits, runtime)
  const resolver = createNameResolver(resolvers, runtime)
  const refused = Object.fromEntries(REFUSAL_REASONS.map((why) => [why, 0])) as Record<RefusalReason, number>
  const counters = { connections: 0, requests: 0, lookups: 0, failed: 0, receivedBytes: 0, sentBytes: 0, refused }
  const lines = new Lines(log, runtime)
  const sessions = new Set<OutgoingSession>()
  return {
    counters,
    get open() {
      return budget.open
    },
    session(run) {
      const session = new OutgoingSession(
        { maxOpen: limits.maxOpenOfRun, maxBytes: limits.maxBytes },
        {
          policy,
          resolver,
          runtime,
          budget,
          domain: run.domain,
          refused(refusal) {
            refused[refusal.why]++
            lines.tell(run, refusal)
          },
          failed: () => counters.failed++,
          begun: (what) => counters[what]++,
          moved: (direction, bytes) => {
            counters[direction === 'received' ? 'receivedBytes' : 'sentBytes'] += bytes
          },
        },
        () => sessions.delete(session),
      )
      sessions.add(session)
      return session
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.close()
      lines.close()
    },
  }
}

/** Says what was refused, to each domain's owner some of it: a guest that scans must not fill the log. */
class Lines {
  readonly #log: Pick<Log, 'warn'>
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #told = new Map<string, number>()
  #forget: Cancel | undefined

  constructor(log: Pick<Log, 'warn'>, runtime: Pick<Runtime, 'after'>) {
    this.#log = log
    this.#runtime = runtime
  }

  tell({ domain, name }: OutgoingRun, refusal: Refusal): void {
    this.#forget ??= this.#runtime.after(LINES_MS, () => {
      this.#forget = undefined
      this.#told.clear()
    })
    const told = (this.#told.get(domain) ?? 0) + 1
    this.#told.set(domain, told)
    if (told > MAX_LINES) return
    const text = Object.entries(refusal).map(([key, value]) => [
      key,
      typeof value === 'string' ? value.slice(0, MAX_TEXT_CHARS) : value,
    ])
    this.#log.warn('guest.refused', { domain, name, ...Object.fromEntries(text) })
  }

  close(): void {
    this.#forget?.()
  }
}
