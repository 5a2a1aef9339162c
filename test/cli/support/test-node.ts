import { join } from 'node:path'
import { buildExplainReport } from '../../../cli/explain-report.ts'
import { LogTail } from '../../../cli/node/log-tail.ts'
import { listRequired } from '../../../cli/node/required-releases.ts'
import { describeStandings } from '../../../cli/operations/standings.ts'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type ClusterId,
  createSigner,
  decodeOperation,
  findCluster,
  listDomains,
  listNodes,
  MakiError,
  type MemberKey,
  silentLog,
} from '../../../core/index.ts'
import { buildZone, explain, nowhere, parseExplainQuestion, Steering, ZoneTable } from '../../../dns/index.ts'
import {
  type AliasStatus,
  type CertificatesReport,
  type ControlBackend,
  type ControlEvent,
  isSignedSameRequest,
  type NodeStatus,
  type PlacesStatus,
  startControlServer,
} from '../../../edge/index.ts'
import { BlobStore, checkRelease, createMemoryStore, Replica, SealKeeper } from '../../../replication/index.ts'

/** A node as the command line sees it: the real control server, a real replica and blob store behind it, no network. */
export interface TestNode extends AsyncDisposable {
  readonly name: string
  readonly socketPath: string
  readonly replica: Replica
  readonly blobs: BlobStore
  /** What it tells of its log; lines are put there by tests. */
  readonly logs: LogTail
  /** Runs before a batch is stored, and after it is durable but not yet acknowledged. */
  readonly hooks: { beforeAccept?: () => Promise<void>; afterAccept?: () => Promise<void>; afterPack?: () => void }
  /** Batches that were handed in. */
  readonly batches: number[]
  /** Overrides parts of what the node says of itself and others. */
  statusOf: (nodes: NodeStatus[]) => NodeStatus[]
  /** What it says of the targets of ALIAS records. */
  aliases: readonly AliasStatus[]
  /** How it knows where clients are. */
  places: PlacesStatus
  /** What keeps names from having certificates; absent where it gets none. */
  certificates: CertificatesReport | undefined
  /** Stops answering; what it stored stays. */
  stop(): Promise<void>
  start(): Promise<void>
}

export async function startTestNode(options: {
  readonly directory: string
  readonly cluster: ClusterId
  readonly creation: Uint8Array
  readonly name?: string
  readonly key?: MemberKey
  /** Of its key; with it the node keeps seals, once the nodes announce a schema that has them. */
  readonly seed?: Uint8Array
}): Promise<TestNode> {
  const { directory, cluster, creation, name = 'one' } = options
  const store = createMemoryStore(systemRuntime)
  const replica = await Replica.open({ store, cluster, runtime: systemRuntime, log: silentLog })
  await replica.submit([creation])
  const blobs = await BlobStore.open(join(directory, name))
  const listeners = new Set<(event: ControlEvent) => void>()
  const logs = new LogTail(systemRuntime)
  const hooks: TestNode['hooks'] = {}
  const batches: number[] = []
  const self = options.key ?? ('a'.repeat(52) as MemberKey)
  const backend: ControlBackend = {
    logs,
    async status() {
      const { state } = replica
      const digest = replica.digest()
      const nodes = listNodes(state).map(
        (node): NodeStatus => ({
          key: node.key,
          name: node.name,
          up: true,
          digest: `${digest.version}-${digest.ids.slice(0, 10)}-${digest.state.slice(0, 10)}`,
          heads: replica.heads().map(({ id }) => id),
          lagMs: node.key === self ? 0 : 100,
          version: '0.1.0',
          merged: {},
          unservable: [],
          damagedBlobs: 0,
          active: Object.fromEntries(
            listDomains(state).flatMap(({ apex, release }) => (release === undefined ? [] : [[apex, release.id]])),
          ),
        }),
      )
      return {
        cluster: { id: cluster, name: findCluster(state)?.name ?? '' },
        self,
        nodes: node.statusOf(nodes),
        aliases: node.aliases,
        places: node.places,
        ...(node.certificates === undefined ? {} : { certificates: node.certificates }),
        ...describeStandings(replica),
      }
    },
    state: async () => ({ entries: [], touches: [] }),
    async explain(typed) {
      const { state } = replica
      const zones = listDomains(state).flatMap(({ apex }) => buildZone(state, apex)?.zone ?? [])
      const steering = new Steering(listNodes(state), new Map(), 1)
      const tables = { table: ZoneTable.of(zones), steering, aliases: new Map(), locator: nowhere }
      return buildExplainReport(explain(parseExplainQuestion(typed), tables), {
        node: name,
        state,
        aliases: node.aliases,
      })
    },
    async accept(operations) {
      await hooks.beforeAccept?.()
      batches.push(operations.length)
      const fresh = operations.map((bytes) => decodeOperation(bytes, cluster)).filter(({ id }) => !replica.has(id))
      for (const release of listRequired(fresh)) {
        const check = await checkRelease(release, blobs)
        if (check.kind !== 'whole')
          throw new MakiError('MAKI_BLOB_MISSING', `the release ${release.id} is not whole here`)
      }
      const report = await replica.submit(operations)
      await hooks.afterAccept?.()
      for (const listener of listeners) {
        listener({ event: 'operations', ids: report.accepted })
        listener({ event: 'nodes', nodes: (await backend.status()).nodes })
      }
      return report
    },
    operations: (after) => replica.page(after, 100),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    blobs: {
      size: (hash) => blobs.size(hash),
      read: (hash) => blobs.read(hash),
      stream: (hash, range) => blobs.stream(hash, range),
      missing: (hashes) => blobs.missing(hashes),
      put: (hash, bytes) => blobs.put(hash, bytes),
      async putPack(pack) {
        const stored = await blobs.putPack(pack)
        hooks.afterPack?.()
        for (const listener of listeners) listener({ event: 'nodes', nodes: (await backend.status()).nodes })
        return stored
      },
    },
    seals: {
      async epoch() {
        if (keeper === undefined) throw new MakiError('MAKI_UNSUPPORTED', 'this node of tests has no keeper')
        return keeper.ensureEpoch()
      },
      same: async (request) => {
        if (!isSignedSameRequest(replica.cluster, request)) throw new MakiError('MAKI_INVALID', 'it is not signed')
        return keeper?.same(request.items, () => true).map((one) => one === true) ?? request.items.map(() => false)
      },
    },
    metrics: () => '',
  }
  const keeper = options.seed === undefined ? undefined : createKeeper(replica, options.seed)
  const socketPath = join(directory, `${name}.sock`)
  let server: Awaited<ReturnType<typeof startControlServer>> | undefined
  const node: TestNode = {
    name,
    socketPath,
    replica,
    blobs,
    logs,
    hooks,
    batches,
    statusOf: (nodes) => nodes,
    aliases: [],
    places: {},
    certificates: undefined,
    async stop() {
      await server?.close()
      server = undefined
    },
    async start() {
      server ??= await startControlServer({ backend, socketPath, log: silentLog, runtime: systemRuntime })
    },
    async [Symbol.asyncDispose]() {
      await this.stop()
      await keeper?.[Symbol.asyncDispose]()
      await replica[Symbol.asyncDispose]()
      await blobs[Symbol.asyncDispose]()
      await store.close()
    },
  }
  await node.start()
  return node
}

/** Hears that all nodes are up. */
function createKeeper(replica: Replica, seed: Uint8Array): SealKeeper {
  return new SealKeeper({
    replica,
    signer: createSigner(seed),
    seed,
    runtime: systemRuntime,
    log: silentLog,
    peers: {
      up: () => new Set(listNodes(replica.state).map(({ key }) => key)),
      lacking: () => new Map(),
      onChange: () => () => {},
    },
  })
}

/** What one node knows, brought to another: the gossip of tests. */
export async function gossip(from: TestNode, to: TestNode): Promise<void> {
  for (let after: string | undefined; ; ) {
    const page = await from.replica.page(after, 100)
    await to.replica.merge(page.operations)
    after = page.cursor
    if (!page.more) return
  }
}
