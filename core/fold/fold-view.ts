import type { Fold } from './fold.ts'

/** A fold that is only asked: about the present, and about who wrote what before. */
export type FoldView = Pick<
  Fold,
  | 'state'
  | 'members'
  | 'has'
  | 'heads'
  | 'isAncestor'
  | 'touching'
  | 'frontier'
  | 'keysIn'
  | 'conflicts'
  | 'voids'
  | 'voidReason'
  | 'isUnknown'
  | 'isMember'
  | 'newestFirst'
  | 'preview'
  | 'digest'
>
