import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureWireGuardKey } from '../../../cli/node/wireguard-key.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, createOperation, meshAddress, nextStamp, type WireGuardKey } from '../../../core/index.ts'
import { encodeOperationBatch, type MeshReport } from '../../../edge/index.ts'
import { type Daemon, DaemonCluster } from './daemons.ts'
import { type Host, TestNetwork } from './network.ts'
import type { Scene } from './scene.ts'

const WIREGUARD_PORT = 51_880
/** Where WireGuard programs have their sockets; one that is taken away ends its program. */
const SOCKETS = '/var/run/wireguard'

/** One node of the mesh. */
export interface MeshNode {
  readonly daemon: Daemon
  readonly host: Host
  readonly interface: string
  readonly publicKey: WireGuardKey
  /** Its mesh address. */
  readonly address: string
}

export interface MeshClusterOptions {
  /** Hosts that run no node. */
  readonly others?: readonly string[]
  /** What the state says of each node before anything runs; public addresses and nothing else by default. */
  readonly endpoints?: Readonly<Record<string, (host: Host) => string | null>>
}

/** Real daemons on hosts of their own that reach each other over WireGuard alone, as on servers. */
export class MeshCluster implements AsyncDisposable {
  readonly network: TestNetwork
  readonly cluster: DaemonCluster
  readonly nodes: readonly MeshNode[]

  private constructor(network: TestNetwork, cluster: DaemonCluster, nodes: readonly MeshNode[]) {
    this.network = network
    this.cluster = cluster
    this.nodes = nodes
    // They outlive daemons, and would outlive a test that crashes.
    process.once('exit', () => this.#endPrograms())
  }

  /** Nothing runs yet; each node knows from its seed where the others are. */
  static async make(scene: Scene, options: MeshClusterOptions = {}): Promise<MeshCluster> {
    const cluster = await DaemonCluster.make(scene, { nodes: 3 })
    const names = cluster.daemons.map(({ name }) => name)
    const network = await TestNetwork.open([...names, ...(options.others ?? [])])
    try {
      const nodes = await Promise.all(
        cluster.daemons.map(async (daemon, i): Promise<MeshNode> => {
          const { publicKey } = await ensureWireGuardKey(daemon.layout.dataDirectory, systemRuntime)
          // Sockets of programs lie in one folder for all namespaces.
          const name = `w${process.pid}-${i}`
          const host = network.host(daemon.name)
          return { daemon, host, interface: name, publicKey, address: meshAddress(cluster.id, publicKey) }
        }),
      )
      const mesh = new MeshCluster(network, cluster, nodes)
      mesh.#seed(nodes.map((node) => mesh.#describe(node, options)))
      for (const node of nodes) place(node)
      return mesh
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  node(i: number): MeshNode {
    return this.nodes[i] as MeshNode
  }

  async start(): Promise<void> {
    await this.cluster.start()
  }

  /** The mesh as a node tells it. */
  async report(node: MeshNode): Promise<MeshReport> {
    const { mesh } = await node.daemon.client.status()
    if (mesh === undefined) throw new Error(`${node.daemon.name} has no mesh`)
    return mesh
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    this.#endPrograms()
    await this.network[Symbol.asyncDispose]()
  }

  #endPrograms(): void {
    for (const { interface: name } of this.nodes) {
      rmSync(join(SOCKETS, `${name}.sock`), { force: true })
      rmSync(join(SOCKETS, `${name}.log`), { force: true })
    }
  }

  #describe(node: MeshNode, { endpoints = {} }: MeshClusterOptions): Change {
    const { daemon, host, publicKey } = node
    const endpoint = endpoints[daemon.name]?.(host)
    return {
      kind: 'node.update',
      key: this.cluster.keyOf(daemon),
      set: {
        addresses: { ipv4: host.ipv4, ipv6: host.ipv6 },
        mesh: { publicKey, port: WIREGUARD_PORT, ...(endpoint === undefined ? {} : { endpoint }) },
      },
    }
  }

  /** One operation more in what each node starts from. */
  #seed(changes: readonly Change[]): void {
    const { id, operator, seed } = this.cluster
    const followed = new Set(seed.flatMap(({ heads }) => heads))
    const heads = seed.filter((operation) => !followed.has(operation.id))
    const stamps = heads.map(({ stamp }) => stamp)
    const { bytes } = createOperation(operator, id, {
      stamp: nextStamp(systemRuntime.now(), stamps),
      heads: heads.map((operation) => operation.id),
      changes: changes as [Change, ...Change[]],
    })
    const batch = encodeOperationBatch([...seed.map((operation) => operation.bytes), bytes])
    for (const { daemon } of this.nodes) writeFileSync(join(daemon.layout.dataDirectory, 'bootstrap.operations'), batch)
  }
}

/** Puts a node on its host, as `maki machine init` configures it: nothing is said of gossip and blobs. */
function place({ daemon, host, interface: name }: MeshNode): void {
  daemon.wrapper = host.wrapper
  daemon.flags = []
  const { dnsPort, httpPort } = daemon.layout
  daemon.configure((text) =>
    text
      .replace(/\[replication\]\n(?:[a-z_]+ = .*\n)*/, '')
      .replace('[wireguard]\nenabled = false\n', `[wireguard]\ninterface = "${name}"\n`)
      .replace(`127.0.0.1:${dnsPort}`, '[::]:53')
      .replace(`127.0.0.1:${httpPort}`, '[::]:80')
      .replace('workers = 0', 'workers = 1')
      .replace('local_hosts = true', 'local_hosts = false'),
  )
}
