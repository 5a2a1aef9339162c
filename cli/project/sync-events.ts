import type { Hostname, OperationId } from '../../core/index.ts'
import type { ScanProgress } from './scan.ts'
import type { SyncPlan } from './sync-plan.ts'
import type { UploadProgress } from './upload.ts'

/** What a sync tells on its way; each is a finished fact or how far a step has come. */
export type SyncEvent =
  | ({ readonly event: 'hashing'; readonly domain: Hostname } & ScanProgress)
  | { readonly event: 'warned'; readonly message: string }
  /** Told before anything is written, also with `dryRun` and also when faults stop it. */
  | { readonly event: 'planned'; readonly plan: SyncPlan }
  | ({ readonly event: 'uploading' } & UploadProgress)
  /** Files changed under the sync; it begins again. */
  | { readonly event: 'restarted'; readonly reason: string }
  /** The operation of a domain is durable. */
  | ({ readonly event: 'published' } & Published)
  /** A node serves a release that was published now, or a newer one. */
  | { readonly event: 'switched'; readonly domain: Hostname; readonly node: string }

export interface Published {
  readonly domain: Hostname
  readonly operation: OperationId
  /** True when it carries a release, which nodes switch to. */
  readonly isRelease: boolean
}

/** Which nodes a sync waits for: none, the first, all that are up, or all. */
export type WaitFor = 'none' | 'one' | 'up' | 'all'
