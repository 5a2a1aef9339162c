export { announcedSchema, requireAnnounced } from './announced-schema.ts'
export * from './certificate-chain.ts'
export { type CertificateName, parseCertificateName, type SealEpochKey } from './change-fields.ts'
export { type ChangeForOptions, changeFor } from './change-for.ts'
export * from './changes.ts'
export * from './codec.ts'
export type { Digest } from './digest.ts'
export { compileEffects, type Effect, type Effects } from './effects.ts'
export * from './emitter.ts'
export * from './errors.ts'
export * from './fold.ts'
export type { FoldView } from './fold-view.ts'
export { IdTable } from './id-table.ts'
export * from './ids.ts'
export { findKeyParts, type KeyParts, parseKey } from './key-parts.ts'
export * from './keys.ts'
export * from './manifest.ts'
export { compareMembers, type Member, type Members } from './membership.ts'
export * from './names.ts'
export * from './operation.ts'
export * from './plan-removal.ts'
export * from './ports.ts'
export type { Preview, PreviewDraft } from './preview.ts'
export * from './release-merge.ts'
export * from './rendezvous.ts'
export * from './seals.ts'
export * from './stamp.ts'
export * from './state.ts'
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
export * from './views.ts'
