export { announcedSchema, requireAnnounced } from './announced-schema.ts'
export {
  type ChallengeView,
  findChallenges,
  listAccounts,
  listCertificates,
  listChallenges,
  listOrders,
  listRevocations,
  type OrderView,
} from './certificate-views.ts'
export { type ChangeForOptions, changeFor } from './change-for.ts'
export { compileEffects, type Effect, type Effects } from './effects.ts'
export { findKeyParts, type KeyParts, parseKey } from './key-parts.ts'
export { type Key, keys, type NodeField, type Scope, scopeKind, scopeOf } from './keys.ts'
export {
  type AccountValue,
  type CertificateValue,
  type ChallengeValue,
  type ClusterValue,
  changedScopes,
  type DomainValue,
  type Entry,
  type FunctionValue,
  type MemberValue,
  type OrderValue,
  type RecordValue,
  type ReleaseValue,
  type RevocationValue,
  type Role,
  type Sealed,
  type State,
  type StateDelta,
  StateTable,
  type TransformValue,
} from './state.ts'
export {
  type DomainView,
  findCluster,
  findDomain,
  findMember,
  findNode,
  findRelease,
  hostOwner,
  listDomains,
  listNodes,
  listPeers,
  type NodeMesh,
  type NodeView,
  type PeerView,
  type Release,
} from './views.ts'
