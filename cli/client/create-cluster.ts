import { rm } from 'node:fs/promises'
import {
  type ClusterId,
  createOperation,
  type Log,
  MakiError,
  nextStamp,
  type Operation,
  type Runtime,
  type Signer,
  shortId,
  silentLog,
} from '../../core/index.ts'
import { type DataFolder, dataFolderAt, exists, makeDataFolder } from './data-folder.ts'
import { generateKey, writeKeyFile } from './identity.ts'
import { LocalReplica } from './local-replica.ts'

export interface CreateClusterOptions {
  readonly name: string
  readonly operatorName: string
  /** The profile's data folder, made here; a function where its path has the cluster's id in it. */
  readonly dataDir: string | ((cluster: ClusterId) => string)
  /** The file that the owner keeps elsewhere; never written over. */
  readonly recoveryKeyPath: string
  readonly runtime: Runtime
  readonly log?: Log
}

export interface CreatedCluster {
  readonly cluster: ClusterId
  readonly folder: DataFolder
  /** The first operator. */
  readonly operator: Signer
  /** The operation that creates the cluster: what a first node is given to start from. Also in the replica and the outbox. */
  readonly creation: Operation
}

/**
 * Makes a cluster: operator key and replica in the data folder, recovery key in its file. The recovery key comes last;
 * a run that fails before it leaves nothing behind that anybody refers to.
 */
export async function createCluster(options: CreateClusterOptions): Promise<CreatedCluster> {
  const { runtime, recoveryKeyPath } = options
  if (await exists(recoveryKeyPath)) {
    throw new MakiError(
      'MAKI_CONFLICT',
      `${recoveryKeyPath} exists already: it may be the recovery key of another cluster`,
      {
        hint: 'Move it to a safe place first.',
      },
    )
  }
  const recovery = generateKey(runtime)
  const operator = generateKey(runtime)
  const creation = createOperation(operator.signer, undefined, {
    stamp: nextStamp(runtime.now(), []),
    heads: [],
    changes: [
      {
        kind: 'cluster.create',
        name: options.name,
        recovery: recovery.signer.key,
        operator: { key: operator.signer.key, name: options.operatorName },
      },
    ],
  })
  const cluster = creation.id as string as ClusterId
  const folder = dataFolderAt(typeof options.dataDir === 'string' ? options.dataDir : options.dataDir(cluster))
  if ((await exists(folder.keyFile)) || (await exists(folder.replica))) {
    throw new MakiError('MAKI_CONFLICT', `${folder.path} holds the data of a cluster already`, {
      hint: 'Move it away first, or name another folder.',
    })
  }
  try {
    await makeDataFolder(folder)
    await writeKeyFile(folder.keyFile, operator.seed, operatorKeyComment(cluster))
    await using local = await LocalReplica.open({ cluster, folder, runtime, log: options.log ?? silentLog })
    await local.replica.submit([creation.bytes])
    await writeKeyFile(
      recoveryKeyPath,
      recovery.seed,
      `Recovery key of the makiatto cluster ${options.name} (${shortId(cluster)}). Keep it offline: it outranks every operator.`,
    )
  } catch (error) {
    for (const path of [folder.keyFile, folder.replica]) await rm(path, { recursive: true, force: true })
    throw error
  }
  return { cluster, folder, operator: operator.signer, creation }
}

export const operatorKeyComment = (cluster: ClusterId): string =>
  `Operator key for the makiatto cluster ${shortId(cluster)}. Keep it secret: who has it can change the cluster.`
