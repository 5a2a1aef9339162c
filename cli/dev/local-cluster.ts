import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  announcedSchema,
  type Change,
  type ClusterId,
  findNode,
  type Log,
  MakiError,
  type MemberKey,
  type Runtime,
  SCHEMA,
} from '../../core/index.ts'
import { createCluster } from '../client/create-cluster.ts'
import { dataFolderAt, exists } from '../client/data-folder.ts'
import { LocalReplica } from '../client/local-replica.ts'
import { packSeed } from '../client/pack-seed.ts'
import { findProfileKey } from '../client/profile-key.ts'
import { type Environment, loadProfile, type Profile, writeFileAtomically, writeProfile } from '../config/index.ts'
import { makeNodeKey } from '../node/index.ts'
import type { DevFolder } from './data-folder.ts'
import { LOOPBACK, type NodeLayout } from './layout.ts'
import { buildNodeConfig } from './node-config.ts'
import { controlSocketPath, makeSocketFolder } from './socket-path.ts'

export interface LocalClusterOptions {
  readonly folder: DevFolder
  readonly nodes: readonly NodeLayout[]
  readonly env: Environment
  readonly runtime: Runtime
  readonly log: Log
  readonly signal: AbortSignal
}

/** What the nodes need lies on disk, and the cluster knows them. */
export interface LocalCluster {
  readonly profile: Profile
  /** True when this start made the cluster. */
  readonly isNew: boolean
  /** Nodes that this start added. */
  readonly joined: readonly string[]
}

/** What a node folds first when its store is empty: a MessagePack array of operations, in the order of their heads. */
const SEED_FILE = 'bootstrap.operations'
const OPERATOR = 'developer'

/**
 * Makes the cluster unless the folder has one, adds nodes that it does not know yet by operations, and writes what each
 * node starts from. The profile comes last: a start that was broken off is no cluster.
 */
export async function prepareCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { folder, nodes, env, runtime, log, signal } = options
  const isNew = !(await exists(folder.profile))
  const cluster = isNew ? await create(options) : (await loadProfile(folder.profile, env)).cluster
  const keys = new Map<NodeLayout, MemberKey>()
  for (const node of nodes) {
    await mkdir(node.dataDirectory, { recursive: true, mode: 0o700 })
    keys.set(node, await makeNodeKey(node.dataDirectory))
  }
  await using local = await LocalReplica.open({ cluster, folder: dataFolderAt(folder.operator), runtime, log, signal })
  const joined = await joinNodes(options, local, keys)
  for (const node of nodes) await writeNodeFiles(options, node, local)
  const profile = buildProfile(options, cluster)
  await writeProfile(profile, env, runtime)
  return { profile: { ...profile, warnings: [] }, isNew, joined }
}

async function create({ folder, runtime, log }: LocalClusterOptions): Promise<ClusterId> {
  const { cluster } = await createCluster({
    name: 'local',
    operatorName: OPERATOR,
    dataDir: folder.operator,
    recoveryKeyPath: folder.recoveryKey,
    runtime,
    log,
  })
  return cluster
}

/** One operation for all that are new. */
async function joinNodes(
  { folder }: LocalClusterOptions,
  local: LocalReplica,
  keys: ReadonlyMap<NodeLayout, MemberKey>,
): Promise<readonly string[]> {
  const missing = [...keys].filter(([, key]) => findNode(local.replica.state, key) === undefined)
  const [first, ...rest] = missing.map(([node, key]) => joinChange(node, key, announcedSchema(local.replica.state)))
  if (first === undefined) return []
  const signer = await findProfileKey({ dataFolder: folder.operator })
  if (signer === undefined) {
    throw new MakiError(
      'MAKI_CONFLICT',
      `the operator's key is gone from ${folder.operator}, so no node can be added`,
      {
        hint: 'Start over, keeping the old folder aside: maki dev --fresh',
      },
    )
  }
  await local.replica.commit(signer, [first, ...rest], `maki dev: ${missing.length} more`)
  return missing.map(([{ name }]) => name)
}

/** The node runs this very program; nodes of older versions, where there are any, could not read that it says so. */
const joinChange = ({ name, place }: NodeLayout, key: MemberKey, announced: number): Change => ({
  kind: 'node.join',
  key,
  name,
  addresses: { ipv4: LOOPBACK, ipv6: null },
  place,
  nameserver: true,
  drained: false,
  ...(announced === SCHEMA ? { schema: SCHEMA } : {}),
})

async function writeNodeFiles(
  { nodes, env, runtime }: LocalClusterOptions,
  node: NodeLayout,
  local: LocalReplica,
): Promise<void> {
  const control = controlSocketPath(node, env)
  await makeSocketFolder(control)
  const peers = nodes.filter((other) => other !== node)
  const config = buildNodeConfig({ node, cluster: local.cluster, control, peers })
  await writeFileAtomically(node.config, config, { mode: 0o644, runtime })
  const seedPath = join(node.dataDirectory, SEED_FILE)
  if (!(await exists(seedPath))) await writeFileAtomically(seedPath, await packSeed(local), { mode: 0o600, runtime })
}

function buildProfile({ folder, nodes, env }: LocalClusterOptions, cluster: ClusterId): Omit<Profile, 'warnings'> {
  return {
    file: folder.profile,
    cluster,
    dataFolder: folder.operator,
    machines: nodes.map((node) => ({
      name: node.name,
      isNameserver: true,
      ipv4: LOOPBACK,
      ...node.place,
      control: controlSocketPath(node, env),
    })),
  }
}
