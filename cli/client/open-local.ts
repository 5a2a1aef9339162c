import type { Log } from '../../core/index.ts'
import type { Profile } from '../config/index.ts'
import type { Host } from '../program/host.ts'
import { dataFolderAt } from './data-folder.ts'
import { LocalReplica } from './local-replica.ts'

/** Whose copy of the cluster is opened. */
export interface LocalOptions {
  readonly profile: Profile
  readonly host: Pick<Host, 'runtime' | 'signal'>
  readonly log: Log
  /** An identity without a replica on disk: every command pulls what it needs. */
  readonly keyFile?: string
  /** Another maki holds the replica and this one begins to wait. */
  readonly onWait?: () => void
}

/** The copy in the profile's data folder, or an empty one in memory. Throws MAKI_LOCKED as `LocalReplica.open` does. */
export function openLocal({ profile, host, log, keyFile, onWait }: LocalOptions): Promise<LocalReplica> {
  return LocalReplica.open({
    cluster: profile.cluster,
    folder: keyFile === undefined ? dataFolderAt(profile.dataFolder) : undefined,
    runtime: host.runtime,
    signal: host.signal,
    log,
    ...(onWait === undefined ? {} : { onWait }),
  })
}
