export { Activation, type ActivationEvents, type ActivationOptions, type Unservable } from './activation.ts'
export { type Admission, type AdmissionRequest, verifyAdmission } from './admission.ts'
export type { AwarenessView } from './awareness.ts'
export type { AwarenessData } from './awareness-entry.ts'
export { BlobFetcher, type BlobFetcherOptions, type FetchCounts } from './blob-fetcher.ts'
export { BlobFolder, openBlobReader } from './blob-folder.ts'
export {
  encodePack,
  type PackItem,
  type PackLimits,
  PackParser,
  type PackPart,
  SMALL_BLOB_BYTES,
} from './blob-pack.ts'
export type { BlobPeer } from './blob-peers.ts'
export { type BlobServer, type BlobServerOptions, startBlobServer } from './blob-server.ts'
export { type BlobEvents, BlobStore, type BlobStoreOptions, type PackRules } from './blob-store.ts'
export type { FetchOptions, FetchProgress, WantedBlob } from './blob-wants.ts'
export { parseDialTarget } from './dialer.ts'
export type { GossipEvents, GossipOptions, GossipPeer, GossipService } from './gossip-options.ts'
export { startGossip } from './gossip-service.ts'
export { Inventory } from './inventory.ts'
export { type LevelStore, type LevelStoreOptions, openLevelStore } from './level-store.ts'
export type {
  GossipReplica,
  InventoryView,
  MergeReport,
  OperationRecord,
  OperationStore,
  StoreDamage,
} from './ports.ts'
export { readOperation } from './read-operation.ts'
export { checkRelease, type ReleaseBlobs, type ReleaseCheck, ReleaseChecker } from './release-check.ts'
export { Replica, type ReplicaEvents, type ReplicaOptions, type Standing } from './replica.ts'
export type { ReplicaPage } from './replica-page.ts'
export { type DocumentFaults, SharedReplica, type SharedReplicaOptions } from './shared-replica.ts'
export { createMemoryStore } from './store-memory.ts'
export { PROTOCOL_VERSION } from './wire.ts'
