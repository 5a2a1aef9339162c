import type { Runtime } from '../../../core/index.ts'
import type { ConnectionBudget } from '../connection-budget.ts'
import type { Http1, Http1Limits } from '../http1.ts'
import type { RequestHandler } from '../request-handler.ts'
import type { AnswerMemo } from './answer-memo.ts'
import type { DateClock } from './date.ts'
import type { RequestHead } from './request-head.ts'

/** What the connections of one fast path share. */
export interface FastContext {
  readonly handler: RequestHandler
  /** Takes what is strange. */
  readonly http: Http1
  readonly budget: ConnectionBudget
  readonly runtime: Runtime
  readonly date: DateClock
  readonly memo: AnswerMemo
  /** One reader for all: nothing waits between reading a head and using it. */
  readonly head: RequestHead
  readonly limits: Http1Limits
  readonly connections: Set<Held>
  /** The connections are TLS. */
  readonly secure: boolean
  readonly sendsFiles: boolean
  /** No request is taken after those that have come. */
  isClosing: boolean
}

/** A connection, as whoever looks after all of them sees it. */
export interface Held {
  /** Ends what takes too long; called every few seconds. */
  check(nowMs: number): void
  /** Closes it unless it is being answered. */
  /** Cuts it where nothing is under way: `resting` where it has had an answer, `silent` also where its first request is still awaited. */
  closeIdle(which: 'resting' | 'silent'): void
}

/** Larger answers are sent as they are read. */
export const MAX_PREPARED_BYTES = 128 * 1024
