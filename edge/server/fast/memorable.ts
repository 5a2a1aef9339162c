import { bodyBytes } from '../request-handler.ts'
import type { MemorisedAnswer } from './answer-memo.ts'
import type { CapturedAnswer } from './answer-writer.ts'
import type { RecordedRequest } from './recorded-request.ts'

/** Answers that depend on nothing but the site and what was asked. Errors are decided anew, so that nobody fills the memo. */
const MEMORABLE: ReadonlySet<number> = new Set([200, 301, 302, 303, 304, 307, 308])

/** What is remembered of an answer that was given; undefined where it is not to be given again unasked. */
export function findMemorable(
  decided: Pick<MemorisedAnswer, 'plan' | 'site' | 'epoch'>,
  request: Pick<RecordedRequest, 'method' | 'isSpecial' | 'absent' | 'values'>,
  captured: CapturedAnswer | undefined,
): MemorisedAnswer | undefined {
  const { plan } = decided
  if (captured === undefined || request.isSpecial || !MEMORABLE.has(plan.status)) return undefined
  // Other headers are those of another answer: what was decided could not be sent.
  if (captured.headers !== plan.headers) return undefined
  const { method, absent, values } = request
  const { bytes, headBytes, dateAt, dateTick } = captured
  const depends = { isHead: method === 'HEAD', absent, values }
  return { ...decided, ...depends, bodyBytes: bodyBytes(plan), headBytes, bytes, dateAt, dateTick, pinned: false }
}
