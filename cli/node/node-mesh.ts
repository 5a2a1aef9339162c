import { lookup } from 'node:dns/promises'
import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import {
  type ClusterId,
  findNode,
  type Log,
  listNodes,
  MakiError,
  type MemberKey,
  meshAddress,
  type Runtime,
  type State,
  type WireGuardKey,
} from '../../core/index.ts'
import {
  type BlobServerOptions,
  createMeshNetwork,
  type GossipOptions,
  listenAhead,
  type Mesh,
  type MeshStatus,
  openNetworkControl,
  openTunnel,
  type Replica,
  startMesh,
} from '../../replication/index.ts'
import type { DaemonConfig } from '../config/index.ts'
import { MESH_GOSSIP_PORT } from './dial-members.ts'
import type { Parts } from './parts.ts'
import { describeMesh, type SaidMesh } from './said-mesh.ts'
import { ensureWireGuardKey, type WireGuardKeyPair } from './wireguard-key.ts'

/** Where every node serves blobs in the mesh. */
const MESH_BLOBS_PORT = 8282

export interface NodeMeshOptions {
  readonly config: DaemonConfig
  readonly cluster: ClusterId
  readonly self: MemberKey
  readonly replica: Pick<Replica, 'state' | 'events'>
  readonly runtime: Runtime
  readonly log: Log
  readonly parts: Pick<Parts, 'wireguard'>
}

/** Where gossip listens, and how. */
type GossipPlace = Pick<GossipOptions, 'listen' | 'network' | 'mayBeAt'>
type BlobsPlace = Pick<BlobServerOptions, 'host' | 'port' | 'accepts' | 'listen'>

/**
 * The mesh of a node, which follows its state, and where gossip and blobs listen: where the configuration says, else on the mesh
 * address, for members' mesh addresses alone.
 */
export class NodeMesh implements AsyncDisposable {
  /** Undefined with `--no-wireguard`. */
  readonly mesh: Mesh | undefined
  /** How others know this node; undefined without a mesh. */
  readonly own: { readonly publicKey: WireGuardKey; readonly port: number } | undefined
  /** Connections that were ended because nobody of the cluster has their address. */
  refused = 0
  readonly gossip: GossipPlace
  readonly blobs: BlobsPlace
  readonly #unsubscribe: (() => void)[] = []
  #said: string | undefined

  private constructor(options: NodeMeshOptions, key: WireGuardKeyPair | undefined) {
    const { config, cluster, replica } = options
    this.own = key === undefined ? undefined : { publicKey: key.publicKey, port: config.wireguard.port }
    this.mesh = key === undefined ? undefined : startMesh(meshOptions(options, key))
    const address = key === undefined ? undefined : meshAddress(cluster, key.publicKey)
    const { addr, blobs_addr } = config.replication
    const accepts = (host: string): boolean => this.#accepts(host)
    this.gossip =
      addr !== undefined
        ? { listen: addr }
        : {
            listen: { host: requireAddress(config, 'addr', address), port: MESH_GOSSIP_PORT },
            network: createMeshNetwork({ accepts }),
            mayBeAt: (key, host) => isMeshAddressOf(replica.state, cluster, key, host),
          }
    this.blobs = blobs_addr ?? {
      host: requireAddress(config, 'blobs_addr', address),
      port: MESH_BLOBS_PORT,
      accepts,
      listen: listenAhead,
    }
    const { mesh } = this
    if (mesh === undefined) return
    this.#unsubscribe.push(
      replica.events.on('change', ({ delta }) => {
        if (delta.entries.some(([name]) => /^(?:node|peer|member)/.test(name))) mesh.follow(replica.state)
      }),
    )
  }

  /** Begins to open the tunnel and waits for nothing. Throws MAKI_CONFIG where neither mesh nor configuration has an address. */
  static async start(options: NodeMeshOptions): Promise<NodeMesh> {
    const { config, runtime, parts } = options
    return new NodeMesh(options, parts.wireguard ? await ensureWireGuardKey(config.node.data_dir, runtime) : undefined)
  }

  /** Mesh addresses of the other members; none without a mesh. */
  addresses(): Iterable<string> {
    return this.mesh?.addresses() ?? []
  }

  status(): MeshStatus | undefined {
    return this.mesh?.status()
  }

  /** What others hear of it; null without a mesh. */
  said(): SaidMesh | null {
    const status = this.mesh?.status()
    return status === undefined ? null : describeMesh(status)
  }

  /** Calls when others should hear something else. */
  onNews(call: () => void): () => void {
    const { mesh } = this
    if (mesh === undefined) return () => {}
    return mesh.events.on('change', (status) => {
      const said = JSON.stringify(describeMesh(status))
      if (said === this.#said) return
      this.#said = said
      call()
    })
  }

  handOver(): void {
    this.mesh?.handOver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    await this.mesh?.[Symbol.asyncDispose]()
  }

  #accepts(host: string): boolean {
    if (this.mesh?.addresses().has(host) === true) return true
    this.refused++
    return false
  }
}

/**
 * Whether a node may speak from an address of the mesh: from its own, and from nobody else's while the state does not say which is
 * its own.
 */
export function isMeshAddressOf(state: State, cluster: ClusterId, key: MemberKey, host: string): boolean {
  const mesh = findNode(state, key)?.mesh
  if (mesh != null) return meshAddress(cluster, mesh.publicKey) === host
  return !listNodes(state).some((node) => node.mesh !== null && meshAddress(cluster, node.mesh.publicKey) === host)
}

function meshOptions({ config, cluster, self, replica, runtime, log }: NodeMeshOptions, key: WireGuardKeyPair) {
  const { interface: name, port, bootstrap: peers } = config.wireguard
  const { privateKey, publicKey } = key
  const bootstrap = peers.map(({ public_key, endpoint, address }) => ({ publicKey: public_key, endpoint, address }))
  const command = findCarried('wireguard-go')
  return {
    cluster,
    self: { key: self, publicKey, port, bootstrap },
    privateKey,
    interface: name,
    state: replica.state,
    runtime,
    log,
    openNetwork: openNetworkControl,
    openTunnel: (network: Parameters<typeof openTunnel>[0]['network']) =>
      openTunnel({ interface: name, network, privateKey, listenPort: port, command, runtime, log }),
    resolve: async (host: string) => (await lookup(host, { all: true })).map(({ address }) => address),
    localAddresses: () =>
      Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  }
}

/** A program that lies beside our Node, as in a bundle; undefined where PATH may have it. */
function findCarried(program: string): string | undefined {
  const path = join(dirname(process.execPath), program)
  return existsSync(path) ? path : undefined
}

function requireAddress(config: DaemonConfig, name: 'addr' | 'blobs_addr', address: string | undefined): string {
  if (address !== undefined) return address
  const [what, example] = name === 'addr' ? ['gossip', '127.0.0.1:8787'] : ['the blob server', '127.0.0.1:8282']
  throw new MakiError('MAKI_CONFIG', `without WireGuard ${config.file} has to say where ${what} listens`, {
    hint: `Set ${name} = "${example}" under [replication], or let WireGuard run: without --no-wireguard, and without enabled = false under [wireguard].`,
  })
}
