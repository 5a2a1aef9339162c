import type { BlobHash, Hostname, Manifest, ManifestFile, OperationId, TransformValue } from '../../core/index.ts'

/** A file and the transforms that it goes through, in order. Equal keys give equal results on one node. */
export interface TransformJob {
  /** 64 hexadecimal digits. */
  readonly key: string
  readonly domain: Hostname
  readonly release: OperationId
  readonly manifest: Manifest
  readonly file: ManifestFile
  readonly steps: readonly TransformValue[]
}

/**
 * `original`: no step changed it. `failed`: one could not be taken, so that the file is served as it is for now, and no cache
 * may keep it.
 */
export type TransformOutcome =
  | { readonly kind: 'done'; readonly result: TransformedFile }
  | { readonly kind: 'original' }
  | { readonly kind: 'failed' }

/** What came of a file; its bytes lie ready on this node under `hash`, as blobs do. */
export interface TransformedFile {
  readonly hash: BlobHash
  readonly sizeBytes: number
  /** A valid media type, as Content-Type says it; undefined: that of the file. */
  readonly mimeType: string | undefined
  /** Valid, names in lower case, without those that are ours to say. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Results as `respond` sees them. */
export interface Transforms {
  /** What came of a job, as far as it is known here without waiting. */
  find(job: TransformJob): TransformOutcome | undefined
  /** Grows when what `find` said may have become untrue; what it had not said before is no reason. */
  readonly epoch: number
}

/** Results whose bytes are to be sent. */
export interface TransformResults extends Transforms {
  /** The bytes of a result turned out to be gone or wrong: `find` does not say them any more. */
  lost(hash: BlobHash): void
}
