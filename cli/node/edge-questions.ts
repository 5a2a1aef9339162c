import type { Hostname, OperationId } from '../../core/index.ts'
import type { LoadableRelease, OtherAsset } from '../../edge/index.ts'

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

/** Of `asset`: the file, whose bytes are here by now, or null. Of `release`: whether it is whole. */
export type EdgeAnswer = OtherAsset | boolean | null

/** Never rejects; null where control is gone. */
export type AskControl = (question: EdgeQuestion) => Promise<EdgeAnswer>
