export * from './certificates/index.ts'
export * from './emitter.ts'
export { decodeMessage, encodeBase32, encodeCanonical, isCanonical, isEncodingOf } from './encoding/index.ts'
export * from './errors.ts'
export * from './fold/index.ts'
export * from './geo/index.ts'
export * from './health/index.ts'
export * from './ids.ts'
export {
  compareMembers,
  isOperator,
  isRemoved,
  type Member,
  type Members,
  type Preview,
  type PreviewDraft,
  planRemoval,
  type RemovalPlan,
  type RemovalReach,
  type RemovalSource,
  roleOf,
} from './membership/index.ts'
export * from './mesh/index.ts'
export * from './names.ts'
export * from './operation/index.ts'
export { IdTable } from './packed/index.ts'
export * from './ports.ts'
export * from './release/index.ts'
export * from './rendezvous.ts'
export * from './secrets/index.ts'
export * from './signing.ts'
export * from './stamp.ts'
export * from './state/index.ts'
export * from './undo/index.ts'
