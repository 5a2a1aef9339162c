export { BlobFetcher, type BlobFetcherOptions, type FetchCounts } from './blob-fetcher.ts'
export { type BlobServer, type BlobServerOptions, startBlobServer } from './blob-server.ts'
export type { BlobPeer } from './peer-ranking.ts'
export type { FetchOptions, FetchProgress, WantedBlob } from './want-table.ts'
