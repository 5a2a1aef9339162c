import type { Runtime } from '../../../core/index.ts'
import type { ConnectionBudget } from '../connection-budget.ts'
import type { AnswerMemo, DateClock } from '../fast/index.ts'
import type { RequestHandler } from '../request-handler.ts'
import type { BufferPool } from './buffer-pool.ts'

/** What the HTTP/2 connections of one listener share. */
export interface Http2Context {
  readonly handler: RequestHandler
  readonly budget: ConnectionBudget
  readonly runtime: Pick<Runtime, 'monotonic' | 'after'>
  readonly date: DateClock
  readonly memo: AnswerMemo
  readonly pool: BufferPool
}
