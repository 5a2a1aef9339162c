import type { Change, Hostname, Key, State } from '../../core/index.ts'
import type { ProjectConfig } from '../config/index.ts'
import type { BuiltSite } from './wanted.ts'

/** What a sync is going to write, and what stands against it. Nothing may be written while there are faults. */
export interface SyncPlan {
  /** Domains of the file in its order, then those that are gone from it. */
  readonly domains: readonly DomainPlan[]
  readonly faults: readonly PlanFault[]
}

export interface DomainPlan {
  readonly domain: Hostname
  /** One operation; empty when the domain is as the file says. */
  readonly changes: readonly Change[]
  readonly lines: readonly PlanLine[]
  /** Why nothing of it is published: somebody holds its releases. */
  readonly held?: string
}

/** One thing that a person wants to know before it is done. */
export interface PlanLine {
  readonly kind: 'add' | 'change' | 'remove' | 'keep' | 'note'
  readonly text: string
}

export interface PlanFault {
  readonly key: Key
  readonly message: string
  readonly hint: string
}

export interface PlanOptions {
  /** Domains that are gone from the file are removed. */
  readonly prune?: boolean | undefined
  /** Values that others wrote are replaced by the file's. */
  readonly takeOver?: boolean | undefined
  /** A release may go back behind the served commit. */
  readonly force?: boolean | undefined
}

export interface PlanInput {
  readonly project: Pick<ProjectConfig, 'project' | 'domains'>
  /** The site of each domain that has files. */
  readonly sites: ReadonlyMap<Hostname, BuiltSite>
  readonly state: State
  readonly options: PlanOptions
  /**
   * What this project last wrote, for the keys of `listContestedKeys`; absent where it wrote nothing or its last word
   * was a removal.
   */
  readonly last: ReadonlyMap<Key, unknown>
  readonly git?: GitFacts | undefined
  /** Domains whose releases somebody holds, and who, since when and why, in words. */
  readonly holds?: ReadonlyMap<Hostname, string> | undefined
  /** Domains that serve several releases together, and which, in words. */
  readonly merges?: ReadonlyMap<Hostname, string> | undefined
}

export interface GitFacts {
  /** The commit that the files were built from. */
  readonly commit: string
  /** The domains whose served commit comes after that. */
  readonly behind: ReadonlySet<Hostname>
}

/** True when the cluster is as the project asks: nothing would be written. */
export const isEmptyPlan = (plan: SyncPlan): boolean => plan.domains.every(({ changes }) => changes.length === 0)
