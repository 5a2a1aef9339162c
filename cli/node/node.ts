import {
  type BlobHash,
  type ClusterId,
  type Log,
  MakiError,
  type Runtime,
  verifySignatureAside,
} from '../../core/index.ts'
import { startControlServer } from '../../edge/index.ts'
import {
  Activation,
  BlobFetcher,
  type BlobPeer,
  BlobStore,
  type GossipService,
  ReleaseChecker,
  Replica,
  SharedReplica,
  StoreScrub,
  startBlobServer,
  startGossip,
  verifyAdmission,
} from '../../replication/index.ts'
import { type DaemonConfig, formatListenAddress } from '../config/index.ts'
import { admissionRules, collectAdmission } from './admission.ts'
import { createAliasLookup } from './alias-lookup.ts'
import { MeshAnnouncement } from './announce-mesh.ts'
import { SchemaAnnouncement } from './announce-schema.ts'
import { AssetSeeker } from './asset-seeker.ts'
import { NodeBackend } from './backend.ts'
import { BlobCare } from './blob-care.ts'
import { startCertificateDuties } from './certificates/index.ts'
import { isComponentQuestion, type NodeComponents, startComponents } from './components/index.ts'
import { createEdge } from './create-edge.ts'
import { DialMembers } from './dial-members.ts'
import { DownFile, downStandings } from './down-file.ts'
import type { EdgeAddresses } from './edge-messages.ts'
import { EdgePool } from './edge-pool.ts'
import type { AskControl } from './edge-questions.ts'
import { HostWatch } from './host-load.ts'
import { nextIncarnation } from './incarnation.ts'
import { KeptReleases } from './kept-releases.ts'
import type { LogTail } from './log-tail.ts'
import { NodeAliases } from './node-aliases.ts'
import { NodeCertificates } from './node-certificates.ts'
import { makeNodeFolders } from './node-folders.ts'
import { NodeHealth } from './node-health.ts'
import { readNodeKey } from './node-key.ts'
import { NodeMesh } from './node-mesh.ts'
import { NodePlaces } from './node-places.ts'
import { NodeSeals } from './node-seals.ts'
import { openNodeStore, recoverStore } from './node-store.ts'
import type { Parts } from './parts.ts'
import { Presence } from './presence.ts'
import { ReleaseFollower } from './release-follower.ts'
import { readSeed } from './seed.ts'
import { TroubleWatch } from './trouble-watch.ts'
import { startVariants, type VariantMaker } from './variants/index.ts'

export interface NodeOptions {
  readonly config: DaemonConfig
  readonly parts: Parts
  readonly version: string
  readonly runtime: Runtime
  readonly log: Log
  /** The last lines of the log; undefined where none are kept. */
  readonly logs?: LogTail | undefined
}

/** A running node. */
export interface Node extends AsyncDisposable {
  readonly addresses: EdgeAddresses & { readonly gossip: string; readonly blobs: string; readonly control: string }
  /** Its end, which is to follow, leaves the workers serving until those of the next daemon have taken over. */
  handOver(): void
}

/**
 * Opens the store, serves DNS and HTTP, joins the gossip, opens the control socket: the one place that knows every layer.
 * Resolves when all listen; a start that fails closes what it opened.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  await using starting = new AsyncDisposableStack()
  const { config, version, runtime, log } = options
  const cluster = requireCluster(config)
  const folders = await makeNodeFolders(config.node.data_dir)
  const { signer, seed } = await readNodeKey(config.node.data_dir)
  let care: BlobCare | undefined
  let seeker: AssetSeeker | undefined
  let components: NodeComponents | undefined
  let variants: VariantMaker | undefined
  const asked: AskControl = async (question) => {
    if (question.kind === 'logged') return options.logs?.addAll(question.lines) ?? null
    if (isComponentQuestion(question)) return (await components?.answer(question)) ?? null
    if (question.kind !== 'transformed') return (await seeker?.answer(question)) ?? null
    variants?.results.add(question.hash, question.sizeBytes)
    return null
  }
  // First, so that its processes load while the store is read.
  const edge = starting.use(createEdge({ ...options, folders, onBlobFailed: (hash) => care?.suspect(hash), asked }))

  const store = starting.use(await openNodeStore({ folders, cluster, runtime, log }))
  const checkpoint = { file: folders.checkpoint }
  const replicated = { store, cluster, runtime, log, checkpoint, checkSignature: verifySignatureAside }
  const replica = starting.use(await Replica.open(replicated))
  if (replica.count === 0) await replica.submit(await readSeed(folders.seed))

  const blobs = starting.use(await BlobStore.open(folders.data, { runtime }))
  const self = signer.key
  // Its tunnel comes up while the rest does.
  const mesh = starting.use(await NodeMesh.start({ ...options, cluster, self, replica }))
  const blobServer = starting.use(await startBlobServer({ store: blobs, log, ...mesh.blobs }))
  let gossip: GossipService | undefined
  const fetcher = starting.use(new BlobFetcher({ store: blobs, runtime, log, peers: () => blobPeers(gossip) }))
  const checker = new ReleaseChecker(blobs)
  starting.defer(blobs.events.on('removed', () => checker.forget()))
  const activation = starting.use(
    await Activation.start({ store: blobs, checker, fetcher, runtime, log, file: folders.active }),
  )

  let presence: Presence | undefined
  const changed = () => presence?.refresh()
  care = starting.use(await BlobCare.start({ blobs, fetcher, replica, activation, folders, runtime, log, changed }))
  starting.defer(activation.events.on('unservable', changed))
  const kept = starting.use(new KeptReleases({ history: replica, edge, store: blobs, fetcher, runtime, log }))
  seeker = starting.use(new AssetSeeker({ history: replica, kept, store: blobs, fetcher, runtime, log }))
  edge.apply(replica.snapshot())
  const { ring: certificates, seals: opened } = starting.use(
    new NodeCertificates({ replica, edge, seed, self, runtime, log }),
  )
  components = starting.use(
    await startComponents({
      config,
      serves: options.parts.http,
      version,
      directory: folders.components,
      blobs,
      activation,
      edge,
      seals: opened,
      onDamaged: (hash) => care.suspect(hash),
      runtime,
      log,
    }),
  )
  const releases = starting.use(new ReleaseFollower({ activation, edge: components.edge, log, runtime, changed }))
  // From here on: what was held may fall due at any moment.
  starting.defer(
    replica.events.on('change', ({ operations, delta }) => {
      edge.apply(delta)
      kept.follow(operations, delta)
      releases.follow(replica, delta)
    }),
  )
  await releases.begin(replica)
  await kept.begin()
  const places = options.parts.dns ? starting.use(await NodePlaces.start({ config, edge, runtime, log })) : undefined
  const aliases = options.parts.dns
    ? starting.use(
        await NodeAliases.start({
          replica,
          edge,
          lookup: createAliasLookup(config.dns.resolvers),
          file: folders.aliases,
          runtime,
          log,
        }),
      )
    : undefined

  const downFile = starting.use(new DownFile(folders.down, log))
  const remembered = config.health.enabled ? await downFile.load() : []
  edge.setStandings(downStandings(remembered))

  const listening = await edge.listen()
  // Visitors are answered; what other nodes are told comes after.
  const shared = starting.use(await SharedReplica.open({ ...replicated, replica, index: folders.document }))

  await mesh.mesh?.tried
  gossip = starting.use(
    await startGossip({
      replica: shared,
      signer,
      cluster,
      runtime,
      log,
      version,
      ...mesh.gossip,
      bootstrap: config.replication.bootstrap.map(formatListenAddress),
      incarnation: await nextIncarnation(folders.incarnation, runtime),
      blobsPort: blobServer.address.port,
      admission: await collectAdmission(replica, signer.key),
      isMember: (key) => replica.isMember(key),
      admits: (key, operations) => verifyAdmission({ key, operations, ...admissionRules(replica) }).admitted,
    }),
  )
  const { dial_members: dials, bootstrap } = config.replication
  const inMesh = () => mesh.addresses()
  starting.use(new DialMembers({ replica, gossip, bootstrap, self, atPublic: dials, inMesh }))
  starting.defer(gossip.events.on('peer-up', () => fetcher.peersChanged()))
  starting.defer(gossip.events.on('agreed', () => void recoverStore(store, log, () => releases.recovered(replica))))
  const announcing = { replica, gossip, signer, runtime, log }
  starting.use(new SchemaAnnouncement(announcing))
  if (mesh.own !== undefined) starting.use(new MeshAnnouncement(announcing, mesh.own))
  starting.defer(mesh.onNews(changed))
  const seals = starting.use(new NodeSeals({ ...announcing, seed, certificates, edge, changed }))
  const duties = starting.use(await startCertificateDuties({ ...options, ...announcing, seals, opened, certificates }))
  const health = starting.use(
    new NodeHealth({
      config: config.health,
      replica,
      gossip,
      edge,
      self,
      http: listening.http,
      remembered,
      remember: (down) => downFile.save(down),
      version,
      runtime,
      log,
      changed,
    }),
  )
  const host = starting.use(await HostWatch.start({ folder: folders.data, runtime, log, changed }))
  const watch = starting.use(new TroubleWatch({ edge, certificates, components, runtime, log, changed }))
  presence = starting.use(
    new Presence({
      replica,
      gossip,
      active: () => releases.served,
      merged: () => releases.merged,
      unservable: () => activation.unservable(),
      damagedBlobs: () => care.damaged,
      seals,
      health,
      host: () => host.load,
      mesh: () => mesh.said(),
      trouble: () => watch.trouble,
      serves: { dns: listening.dns?.port, http: listening.http?.port, https: listening.https?.port },
      version,
      self,
      runtime,
    }),
  )

  const budgetMb = options.parts.http ? config.web.variants_cache_mb : 0
  const announce = (records: Uint8Array) => edge.setVariants(records)
  const onDamaged = (hash: BlobHash) => care.suspect(hash)
  const of = { blobs, results: folders.transformed, activation, onDamaged }
  variants = starting.use(startVariants({ directory: folders.variants, budgetMb, ...of, announce, runtime, log }))
  const backend = new NodeBackend({
    shared,
    blobs,
    edge,
    gossip,
    presence,
    fetcher,
    checker,
    activation,
    care,
    seeker,
    seals,
    aliases,
    places,
    variants,
    components,
    mesh,
    duties,
    logs: options.logs,
    self,
  })
  const control = starting.use(await startControlServer({ backend, socketPath: config.node.control, log, runtime }))

  starting.use(new StoreScrub({ store, cluster, runtime, log }))
  const addresses = {
    ...listening,
    gossip: formatListenAddress(gossip.address),
    blobs: formatListenAddress(blobServer.address),
    control: control.socketPath,
  }
  const owned = starting.move()
  const handOver = () => {
    mesh.handOver()
    if (edge instanceof EdgePool) edge.handOver()
  }
  return { addresses, handOver, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function blobPeers(gossip: GossipService | undefined): BlobPeer[] {
  const peers = gossip?.peers() ?? []
  return peers
    .filter(({ blobsPort }) => blobsPort !== 0)
    .map(({ key, host, blobsPort }) => ({ key, url: `http://${formatListenAddress({ host, port: blobsPort })}` }))
}

function requireCluster(config: DaemonConfig): ClusterId {
  if (config.node.cluster !== undefined) return config.node.cluster
  throw new MakiError('MAKI_CONFIG', `${config.file} does not say which cluster this node belongs to`, {
    hint: 'Set cluster = "…" under [node]; maki cluster show prints the id.',
  })
}
