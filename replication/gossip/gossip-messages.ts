import type { MemberKey, OperationId } from '../../core/index.ts'
import type { MergeReport } from '../ports.ts'
import type { Frame, FrameOf } from './wire.ts'

/** A link between two replicas, numbered by its driver; numbers are never used again. */
export type LinkId = number

/** Frames that authenticated replicas exchange about operations. */
export type GossipFrame = FrameOf<'sync' | 'digest' | 'table' | 'bucket' | 'request' | 'operations'>

export function isGossipFrame(frame: Frame): frame is GossipFrame {
  switch (frame.type) {
    case 'sync':
    case 'digest':
    case 'table':
    case 'bucket':
    case 'request':
    case 'operations':
      return true
    default:
      return false
  }
}

/** Why a merge was asked for; comes back with its report. `answer`: a sync step 2. */
export type MergeCause = 'answer' | 'update' | 'operations'

export type GossipInput =
  | { readonly kind: 'link-up'; readonly link: LinkId; readonly peer: MemberKey }
  | { readonly kind: 'link-down'; readonly link: LinkId }
  | { readonly kind: 'frame'; readonly link: LinkId; readonly frame: GossipFrame }
  /** The peer said something else, a heartbeat: it is alive. */
  | { readonly kind: 'heard'; readonly link: LinkId }
  | { readonly kind: 'merged'; readonly link: LinkId; readonly cause: MergeCause; readonly report: MergeReport }
  /** The replica has something new; `origin` is the link that said it. */
  | { readonly kind: 'update'; readonly update: Uint8Array; readonly origin: LinkId | undefined }
  | { readonly kind: 'operations-read'; readonly link: LinkId; readonly operations: readonly Uint8Array[] }
  /** The next part of the answer to a state vector; undefined: nothing was lacking. `more`: others follow. */
  | {
      readonly kind: 'diff-read'
      readonly link: LinkId
      readonly update: Uint8Array | undefined
      readonly more: boolean
    }
  /** Time passes; to be given about every second. */
  | { readonly kind: 'tick' }

export type GossipEffect =
  | { readonly kind: 'send'; readonly links: readonly LinkId[]; readonly frame: GossipFrame }
  /** To be done in the order given for each link; the report comes back as `merged`. */
  | { readonly kind: 'merge-update'; readonly link: LinkId; readonly cause: MergeCause; readonly update: Uint8Array }
  | { readonly kind: 'merge-operations'; readonly link: LinkId; readonly operations: readonly Uint8Array[] }
  /**
   * To be read and given back as `operations-read`, once the link has sent most of what it was given: that is what
   * bounds the memory that a long answer takes.
   */
  | { readonly kind: 'read-operations'; readonly link: LinkId; readonly ids: readonly OperationId[] }
  /**
   * What a peer with this state vector lacks, to be given back part by part as `diff-read`, each once the link has sent
   * most of what it was given; the last one always. At most one is under way for a link.
   */
  | { readonly kind: 'diff'; readonly link: LinkId; readonly vector: Uint8Array }
  /** The peer's inventory equals ours at this moment. */
  | { readonly kind: 'agreed'; readonly link: LinkId }
  | { readonly kind: 'drop'; readonly link: LinkId; readonly reason: DropReason; readonly detail: string }

export type DropReason = 'protocol' | 'refused-operations' | 'flood' | 'silent'

/** What gossip counted since it began; for metrics. */
export interface GossipCounters {
  updatesPushed: number
  /** Entries of peers that the replica refused. */
  refused: number
  gaps: number
  digests: number
  /** Rounds in which inventories differed though nothing else did, and were repaired by id. */
  repairs: number
  drops: number
}
