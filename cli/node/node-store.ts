import { access, rm } from 'node:fs/promises'
import type { ClusterId, Log, Runtime } from '../../core/index.ts'
import { type LevelStore, openLevelStore, repairAside } from '../../replication/index.ts'
import type { NodeFolders } from './node-folders.ts'

export interface NodeStoreOptions {
  readonly folders: Pick<NodeFolders, 'operations' | 'stored' | 'acceptLoss'>
  readonly cluster: ClusterId
  readonly runtime: Runtime
  readonly log: Log
  /** Level's own repair of a folder; in a process of its own unless it is said otherwise, for on some damage it aborts. */
  readonly repair?: ((folder: string) => Promise<void>) | undefined
}

/**
 * Opens a node's store. What it lost is asked of the other nodes; only where its owner made the file `accept-loss` does the
 * node go on without. That file holds for one loss: it is removed, also where nothing was lost.
 */
export async function openNodeStore({
  folders,
  repair = repairAside,
  ...options
}: NodeStoreOptions): Promise<LevelStore> {
  const store = await openLevelStore({ ...options, repair, directory: folders.operations, marker: folders.stored })
  try {
    await settleLoss(store, folders.acceptLoss, options.log)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** To be called when a peer's inventory was merged: nothing that it had is missing here any more. */
export async function recoverStore(store: LevelStore, log: Log, recovered: () => void): Promise<void> {
  if (store.damaged === undefined) return
  try {
    await store.markWhole()
    log.info('store.recovered')
    recovered()
  } catch (error) {
    log.error('store.recovery-failed', { error })
  }
}

async function settleLoss(store: LevelStore, acceptLoss: string, log: Log): Promise<void> {
  const { damaged } = store
  const isAccepted = await access(acceptLoss).then(
    () => true,
    () => false,
  )
  if (isAccepted) {
    if (damaged !== undefined) await store.markWhole()
    await rm(acceptLoss)
    log.warn(damaged === undefined ? 'store.nothing-lost' : 'store.loss-accepted', { ...damaged, file: acceptLoss })
  } else if (damaged !== undefined) {
    const hint = `If no other node has what was lost, go on without: touch ${acceptLoss}, and start this node again.`
    log.warn('store.incomplete', { ...damaged, hint })
  }
}
