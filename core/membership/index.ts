export { Authority, type Staged } from './authority.ts'
export {
  compareMembers,
  compileDemands,
  type Demands,
  type Member,
  type Members,
  type MembershipOperation,
  type Place,
  readMembership,
} from './membership.ts'
export {
  isOperator,
  isRemoved,
  planRemoval,
  type RemovalPlan,
  type RemovalReach,
  type RemovalSource,
  roleOf,
} from './plan-removal.ts'
export { type Preview, type PreviewDraft, type PreviewOperation, previewDraft } from './preview.ts'
