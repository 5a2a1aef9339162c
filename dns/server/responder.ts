import type { Log, Runtime } from '../../core/index.ts'
import { type Asker, HEADER_OCTETS, type Transport } from '../message/index.ts'
import type { Reply, ReplyBytes } from '../service/index.ts'
import { RCODES, type Rcode } from '../wire/index.ts'
import { DurationCounts, type QueryDurations } from './durations.ts'
import type { RateLimit } from './rate-limit.ts'

/** Counts since the start, for metrics. */
export interface DnsCounters {
  /** Messages that were answered, by transport. */
  readonly queries: Readonly<Record<Transport, number>>
  readonly rcodes: Readonly<Record<Rcode, number>>
  /** How long answers took to make, in seconds. */
  readonly durations: QueryDurations
  /** Messages that break the format: answered with FORMERR where a header could be read, else dropped. */
  readonly malformed: number
  /** Messages that got no answer: responses, pieces without a header, datagrams that could not be answered. */
  readonly dropped: number
  /** Messages that our own code failed on: always a bug, answered with SERVFAIL. */
  readonly failed: number
  /** TCP connections that were closed for being too many, in all or from one client. */
  readonly shed: number
  /** Answers over the limit for one network, by what became of them; those that were cut count as answers, too. */
  readonly limited: Readonly<Record<'cut' | 'dropped', number>>
}

/** Whoever answers messages; it may throw, which is a bug. */
export interface AnswersMessages {
  reply(message: Uint8Array, asker: Asker): Reply
}

type Written = Omit<DnsCounters, 'durations'>
type Writable<T> = { -readonly [Key in keyof T]: T[Key] extends number ? number : Record<keyof T[Key], number> }

/** What all sockets of a server do with a message: answers from the table of the moment, counts, and never throws. */
export class Responder {
  readonly #service: AnswersMessages
  readonly #log: Log
  readonly #limit: RateLimit | undefined
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #durations = new DurationCounts()
  readonly #counters: Writable<Written> = {
    queries: { udp: 0, tcp: 0 },
    rcodes: Object.fromEntries(Object.keys(RCODES).map((rcode) => [rcode, 0])) as Record<Rcode, number>,
    malformed: 0,
    dropped: 0,
    failed: 0,
    shed: 0,
    limited: { cut: 0, dropped: 0 },
  }

  constructor(
    service: AnswersMessages,
    ports: { readonly log: Log; readonly limit: RateLimit | undefined; readonly runtime: Pick<Runtime, 'monotonic'> },
  ) {
    this.#service = service
    this.#log = ports.log
    this.#limit = ports.limit
    this.#runtime = ports.runtime
  }

  get counters(): DnsCounters {
    const { queries, rcodes, limited, ...rest } = this.#counters
    return {
      queries: { ...queries },
      rcodes: { ...rcodes },
      limited: { ...limited },
      durations: this.#durations.snapshot(),
      ...rest,
    }
  }

  /** The bytes to send back; undefined when nothing may be sent. */
  reply(message: Uint8Array, asker: Asker): Uint8Array | undefined {
    const counters = this.#counters
    const startedMs = this.#runtime.monotonic()
    try {
      const reply = this.#service.reply(message, asker)
      if (reply.malformed) counters.malformed += 1
      if (reply.kind === 'drop') {
        counters.dropped += 1
        return undefined
      }
      const allowed = this.#hold(reply, asker)
      if (allowed === undefined) return undefined
      counters.queries[asker.transport] += 1
      counters.rcodes[allowed.rcode] += 1
      this.#durations.note((this.#runtime.monotonic() - startedMs) / 1000)
      return allowed.bytes
    } catch (error) {
      counters.failed += 1
      // Whoever found the message that does it can send it a million times: the log gets the 1st, 2nd, 4th, 8th.
      if (Number.isInteger(Math.log2(counters.failed))) this.#log.error('dns.failed', { times: counters.failed, error })
      counters.rcodes.SERVFAIL += 1
      return buildServerFailure(message)
    }
  }

  /** The reply, less of it, or nothing, by how much of its kind went to that network lately. */
  #hold(reply: Reply & { readonly kind: 'send' }, { address }: Asker): ReplyBytes | undefined {
    const { unproven } = reply
    if (unproven === undefined || this.#limit === undefined) return reply
    const verdict = this.#limit.take(address, unproven.account, this.#runtime.monotonic())
    switch (verdict) {
      case 'send':
        return reply
      case 'cut':
        this.#counters.limited.cut += 1
        return unproven.cut()
      case 'drop':
        this.#counters.limited.dropped += 1
        return undefined
      default:
        return verdict satisfies never
    }
  }

  countDropped(): void {
    this.#counters.dropped += 1
  }

  countMalformed(): void {
    this.#counters.malformed += 1
  }

  countShed(): void {
    this.#counters.shed += 1
  }
}

function buildServerFailure(message: Uint8Array): Uint8Array | undefined {
  const flags = message[2]
  if (message.length < HEADER_OCTETS || flags === undefined || (flags & 0x80) !== 0) return undefined
  const bytes = new Uint8Array(HEADER_OCTETS)
  bytes.set(message.subarray(0, 2))
  bytes[2] = 0x80 | (flags & 0x79)
  bytes[3] = RCODES.SERVFAIL
  return bytes
}
