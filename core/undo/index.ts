export { compileUndo } from './undo.ts'
export {
  findWriterWithout,
  listUndoKeys,
  type SkippedKey,
  type SkipReason,
  type UndoFold,
  type UndoPlan,
  type Written,
} from './undo-plan.ts'
export { requireUndoable } from './undoable.ts'
