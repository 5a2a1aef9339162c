import type { BlobHash, Hostname, Manifest, ManifestFile, OperationId, TransformValue } from '../../core/index.ts'

/** A file and the transforms that it goes through, in order. Equal keys give equal results on this node. */
export interface TransformJob {
  readonly key: string
  readonly domain: Hostname
  readonly release: OperationId
  readonly manifest: Manifest
  readonly file: ManifestFile
  readonly steps: readonly TransformValue[]
}

/** `original`: no step changed it, or one failed; the file is served as it is. */
export type TransformOutcome =
  | { readonly kind: 'done'; readonly result: TransformedFile }
  | { readonly kind: 'original' }

/** What came of a file; its bytes lie ready on this node under `hash`, as blobs do. */
export interface TransformedFile {
  readonly hash: BlobHash
  readonly sizeBytes: number
  /** A valid media type; undefined: that of the file. */
  readonly mimeType: string | undefined
  /** Valid, in lower case, without those that are ours to say. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}
