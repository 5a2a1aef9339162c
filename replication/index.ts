export { BlobFolder, openBlobReader } from './blobs/blob-folder.ts'
export type { PackRules } from './blobs/blob-intake.ts'
export {
  encodePack,
  type PackItem,
  type PackLimits,
  PackParser,
  type PackPart,
  SMALL_BLOB_BYTES,
} from './blobs/blob-pack.ts'
export { type BlobEvents, BlobStore, type BlobStoreOptions } from './blobs/blob-store.ts'
export { replaceFile, syncDirectory } from './files/replace-file.ts'
export { type Admission, type AdmissionRequest, verifyAdmission } from './gossip/admission.ts'
export type { AwarenessView } from './gossip/awareness.ts'
export type { AwarenessData } from './gossip/awareness-entry.ts'
export { parseDialTarget } from './gossip/dialer.ts'
export type { GossipEvents, GossipOptions, GossipPeer, GossipService } from './gossip/gossip-options.ts'
export { startGossip } from './gossip/gossip-service.ts'
export { PROTOCOL_VERSION } from './gossip/wire.ts'
export * from './mesh/index.ts'
export type {
  GossipReplica,
  InventoryView,
  MergeReport,
  OperationRecord,
  OperationStore,
  SignatureCheck,
  StoreDamage,
} from './ports.ts'
export * from './releases/index.ts'
export type { CheckpointOptions } from './replica/checkpoints.ts'
export { Inventory } from './replica/inventory.ts'
export { readOperation } from './replica/read-operation.ts'
export { Replica, type ReplicaEvents, type ReplicaOptions } from './replica/replica.ts'
export type { ReplicaPage } from './replica/replica-page.ts'
export { type DocumentFaults, SharedReplica, type SharedReplicaOptions } from './replica/shared-replica.ts'
export type { Standing } from './replica/standing.ts'
export * from './seals/index.ts'
export { type LevelStore, type LevelStoreOptions, openLevelStore } from './store/level-store.ts'
export { createMemoryStore } from './store/store-memory.ts'
export { repairAside, repairHere } from './store/store-salvage.ts'
export { StoreScrub } from './store/store-scrub.ts'
export * from './transfer/index.ts'
export * from './upkeep/index.ts'
