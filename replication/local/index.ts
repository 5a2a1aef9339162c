/**
 * The door for whom holds a copy and is no node: stores, the replica, blobs and what releases are, without gossip, transfer and
 * mesh, which a command would load for nothing each time.
 */

export { encodePack, type PackItem } from '../blobs/blob-pack.ts'
export { BlobStore } from '../blobs/blob-store.ts'
export { syncDirectory } from '../files/replace-file.ts'
export type { OperationStore } from '../ports.ts'
export * from '../releases/index.ts'
export { readOperation } from '../replica/read-operation.ts'
export { Replica } from '../replica/replica.ts'
export type { Standing } from '../replica/standing.ts'
export { openLevelStore } from '../store/level-store.ts'
export { createMemoryStore } from '../store/store-memory.ts'
export { repairAside } from '../store/store-salvage.ts'
