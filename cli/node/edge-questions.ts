import type { BlobHash, Hostname, OperationId, Sealed } from '../../core/index.ts'
import type { ComponentFault, LoadableRelease, OtherAsset, PreparedComponent } from '../../edge/index.ts'

/** A release whose files are kept here, as an edge may have to serve it. Crosses a process boundary: plain data only. */
export interface EdgeRelease extends LoadableRelease {
  /** When it was replaced, milliseconds since the epoch; undefined while it stands. */
  readonly endedMs?: number | undefined
}

/** What an edge cannot know by itself, and asks control. */
export type EdgeQuestion =
  /**
   * A file with a fingerprinted name that no release here has as a whole: control looks at what other nodes have too, and
   * fetches it. `known` is the file where only its bytes are not here.
   */
  | { readonly kind: 'asset'; readonly domain: Hostname; readonly path: string; readonly known?: OtherAsset }
  /** That all files of a kept release are here, so that it can be shown. */
  | { readonly kind: 'release'; readonly domain: Hostname; readonly id: OperationId }
  /** A component of a release, made ready to be run; waits until it is. */
  | { readonly kind: 'component'; readonly component: BlobHash }
  /** Tells, and asks nothing: what transforms made lies ready, and encodings of it would be of use. */
  | { readonly kind: 'transformed'; readonly hash: BlobHash; readonly sizeBytes: number }
  /** Tells, and asks nothing: lines of this worker's log, in order. */
  | { readonly kind: 'logged'; readonly lines: readonly string[] }
  /** The environment of a component at a path of a domain's site, opened. */
  | {
      readonly kind: 'environment'
      readonly domain: Hostname
      readonly path: string
      readonly env: Readonly<Record<string, Sealed>>
    }

/**
 * Of `asset`: the file, whose bytes are here by now, or null. Of `release`: whether it is whole. Of `component`: where it
 * lies, or why it cannot be run. Of `environment`: the values in clear; null while this node cannot open them.
 */
export type EdgeAnswer =
  | OtherAsset
  | boolean
  | null
  | { readonly prepared: PreparedComponent }
  | { readonly fault: ComponentFault }
  | { readonly env: Readonly<Record<string, string>> }

/** What is asked about files. */
export type AssetQuestion = Extract<EdgeQuestion, { kind: 'asset' | 'release' }>

/** Never rejects; null where control is gone. */
export type AskControl = (question: EdgeQuestion) => Promise<EdgeAnswer>
