import { admissionRules, collectAdmission } from '../../../cli/node/admission.ts'
import type { Edge } from '../../../cli/node/edge-messages.ts'
import { nextIncarnation } from '../../../cli/node/incarnation.ts'
import { makeNodeFolders } from '../../../cli/node/node-folders.ts'
import { openNodeStore, recoverStore } from '../../../cli/node/node-store.ts'
import { Presence } from '../../../cli/node/presence.ts'
import { ReleaseFollower } from '../../../cli/node/release-follower.ts'
import type { ClusterId, Hostname, OperationId, Release } from '../../../core/index.ts'
import {
  Activation,
  type GossipService,
  ReleaseChecker,
  Replica,
  repairHere,
  SharedReplica,
  startGossip,
  verifyAdmission,
} from '../../../replication/index.ts'
import { type BlobSource, VirtualBlobs } from './blobs.ts'
import { fingerprint, GOSSIP_PORT, type Machine } from './machine.ts'
import type { ProcessLife } from './process-life.ts'

/** What the world does with a node that runs. */
export interface NodeProcess {
  readonly life: ProcessLife
  readonly shared: SharedReplica
  readonly gossip: GossipService
  readonly activation: Activation
  readonly blobs: VirtualBlobs
  readonly checker: ReleaseChecker
  readonly incarnation: number
  /** What visitors get of each domain, as told to the edge. */
  readonly served: ReadonlyMap<Hostname, Release>
}

export interface NodeProcessOptions {
  readonly machine: Machine
  readonly cluster: ClusterId
  /** Operations that a new node is given. */
  readonly seed: readonly Uint8Array[]
  readonly bootstrap: readonly string[]
  readonly blobSource: BlobSource
  /** Says nothing about itself: for clusters so large that nothing else would be seen. */
  readonly isSilent?: boolean
  /** Everything that the node logs. */
  readonly hear: (level: string, event: string, data: Record<string, unknown>) => void
  /** A node stored operations; `origin` names the peer that they came from. */
  readonly onStored?: (ids: readonly OperationId[], origin: number | undefined) => void
  /** The edge was told to serve this. */
  readonly onServe?: (domain: Hostname, release: Release | null, shelf: VirtualBlobs) => void
}

/**
 * Starts what a node consists of, wired as `cli/node/node.ts` does it, with simulated edges: the sockets of DNS and HTTP
 * and the blobs' way between nodes. The process is the machine's; killing it ends everything here.
 */
export async function startNodeProcess(options: NodeProcessOptions): Promise<NodeProcess> {
  const { machine, cluster } = options
  const life = machine.startProcess()
  const { runtime } = life
  const { scheduler, signer } = machine
  const log = life.log(options.hear)
  const folders = await makeNodeFolders(`${life.root}/data`)

  const store = await openNodeStore({ folders, cluster, runtime, log, repair: repairHere })
  // Small clusters have few operations: each few of them are packed.
  const checkpoint = { file: folders.checkpoint, minOperations: 5 }
  const replicated = { store, cluster, runtime, log, checkpoint }
  const replica = await Replica.open(replicated)
  if (replica.count === 0) await replica.submit(options.seed)
  const shared = await SharedReplica.open({ ...replicated, replica, index: folders.document })

  const blobs = new VirtualBlobs(machine.shelf, life, options.blobSource)
  const checker = new ReleaseChecker(blobs)
  const activation = await Activation.start({
    store: blobs,
    checker,
    fetcher: blobs,
    runtime,
    log,
    file: folders.active,
  })
  let presence: Presence | undefined
  const served = new Map<Hostname, Release>()
  const edge: Pick<Edge, 'activate'> = {
    activate: async (domain, release) => {
      await new Promise<void>((resolve) => life.after(1, resolve))
      if (release === null) served.delete(domain)
      else served.set(domain, release)
      options.onServe?.(domain, release, blobs)
    },
  }
  const releases = new ReleaseFollower({ activation, edge, log, runtime, changed: () => presence?.refresh() })
  replica.events.on('change', ({ delta }) => releases.follow(replica, delta))
  replica.events.on('stored', ({ operations, origin }) => {
    const ids = operations.map(({ id }) => id)
    scheduler.note('stored', machine.name, fingerprint(ids), origin ?? '-')
    options.onStored?.(ids, origin)
  })
  await releases.begin(replica)

  const incarnation = await nextIncarnation(folders.incarnation, runtime)
  const gossip = await startGossip({
    replica: shared,
    signer,
    cluster,
    runtime,
    log,
    network: machine.network.portFor(machine.host, life),
    version: '0.0.0-sim',
    listen: { host: machine.host, port: GOSSIP_PORT },
    bootstrap: options.bootstrap,
    incarnation,
    blobsPort: 8282,
    admission: await collectAdmission(replica, signer.key),
    isMember: (key) => replica.isMember(key),
    admits: (key, operations) => verifyAdmission({ key, operations, ...admissionRules(replica) }).admitted,
  })
  gossip.events.on('agreed', () => {
    void recoverStore(store, log, () => releases.recovered(replica))
  })
  if (options.isSilent !== true)
    presence = new Presence({
      replica,
      gossip,
      active: () => releases.served,
      merged: () => releases.merged,
      unservable: () => activation.unservable(),
      damagedBlobs: () => 0,
      version: '0.0.0-sim',
      self: signer.key,
      runtime,
    })
  return { life, shared, gossip, activation, blobs, checker, incarnation, served }
}
