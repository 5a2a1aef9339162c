export { BlobCollector, type CollectorCounts, type CollectorOptions } from './blob-collector.ts'
export { BlobRepair, type RepairCounts, type RepairOptions } from './blob-repair.ts'
export { BlobScrub, type ScrubCounts, type ScrubOptions } from './blob-scrub.ts'
export { HashSieve } from './hash-sieve.ts'
