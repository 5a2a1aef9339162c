import { type Change, type MemberKey, nextStamp, type Preview } from '../../core/index.ts'
import type { Ledger } from './ledger.ts'

/** What an operation of `author` with these changes would change, made now by `commit`; nothing is written. */
export function previewChanges(ledger: Ledger, author: MemberKey, changes: readonly Change[], nowMs: number): Preview {
  const followed = ledger.tipsFor(author, changes)
  const stamps = followed.map(({ stamp }) => stamp)
  return ledger.fold.preview({
    author,
    stamp: nextStamp(nowMs, stamps),
    heads: followed.map(({ id }) => id),
    changes,
  })
}
