import { type Change, type FoldView, MakiError, type MemberKey, nextStamp } from '../core/index.ts'

/** Throws MAKI_OPERATION_REFUSED for changes that would be void because their author has no right to make them. */
export function requireRight(
  fold: Pick<FoldView, 'heads' | 'preview'>,
  author: MemberKey,
  changes: readonly Change[],
  nowMs: number,
): void {
  const heads = fold.heads()
  const stamps = heads.map(({ stamp }) => stamp)
  const draft = { author, stamp: nextStamp(nowMs, stamps), heads: heads.map(({ id }) => id), changes }
  const { reason } = fold.preview(draft)
  if (reason === undefined) return
  throw new MakiError('MAKI_OPERATION_REFUSED', `you may not do that: ${reason}`, {
    hint: 'Ask an operator: maki operator list',
  })
}
