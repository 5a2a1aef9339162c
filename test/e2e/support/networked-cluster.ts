import type { Change, MemberKey } from '../../../core/index.ts'
import { type Daemon, DaemonCluster } from './daemons.ts'
import { type Host, TestNetwork } from './network.ts'
import type { Scene } from './scene.ts'

/** Ports of a server that is reached from outside. */
const PORTS = { dns: 53, http: 80, gossip: 8787, blobs: 8282 } as const

/** What a test wants of a cluster on a network. */
export interface NetworkedOptions {
  readonly nodes?: number
  /** Hosts that run no node: clients, resolvers, other name servers. */
  readonly others?: readonly string[]
  readonly ipv6?: boolean
  /** Keys of `[health]`. */
  readonly health?: Readonly<Record<string, number | boolean>>
  /** Added to each node's configuration: whole tables. */
  readonly config?: string
  readonly places?: readonly { readonly latitude: number; readonly longitude: number }[]
}

/** Real daemons, each on a host of its own with the ports of a real server and an address that only that host has. */
export class NetworkedCluster implements AsyncDisposable {
  readonly network: TestNetwork
  readonly cluster: DaemonCluster

  private constructor(network: TestNetwork, cluster: DaemonCluster) {
    this.network = network
    this.cluster = cluster
  }

  /** All nodes run and agree, and the cluster knows their addresses. */
  static async start(scene: Scene, options: NetworkedOptions = {}): Promise<NetworkedCluster> {
    const cluster = await DaemonCluster.make(scene, { nodes: options.nodes ?? 3 })
    const names = cluster.daemons.map(({ name }) => name)
    const network = await TestNetwork.open([...names, ...(options.others ?? [])])
    const networked = new NetworkedCluster(network, cluster)
    try {
      for (const daemon of cluster.daemons) networked.#place(daemon, options)
      await cluster.start()
      await networked.commit(...cluster.daemons.map((daemon, i) => networked.#describe(daemon, i, options)))
      await cluster.agreement()
      return networked
    } catch (error) {
      await networked[Symbol.asyncDispose]()
      throw error
    }
  }

  get daemons(): readonly Daemon[] {
    return this.cluster.daemons
  }

  daemon(name: string): Daemon {
    const found = this.daemons.find((daemon) => daemon.name === name)
    if (found === undefined) throw new Error(`there is no node ${name}`)
    return found
  }

  host(name: string): Host {
    return this.network.host(name)
  }

  /** An operation of the operator, handed to the first node that runs. */
  commit(...changes: readonly Change[]): Promise<void> {
    return this.cluster.commit(...changes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.network[Symbol.asyncDispose]()
  }

  /** Puts a node, which was made for this machine's loopback, on its host. */
  #place(daemon: Daemon, { health = {}, config = '' }: NetworkedOptions): void {
    daemon.wrapper = this.host(daemon.name).wrapper
    daemon.configure((text) => {
      let placed = text.replace('workers = 0', 'workers = 1').replace('local_hosts = true', 'local_hosts = false')
      for (const { layout } of this.daemons) {
        const { ipv4 } = this.host(layout.name)
        const moves = [
          [layout.gossipPort, PORTS.gossip],
          [layout.blobsPort, PORTS.blobs],
          [layout.dnsPort, PORTS.dns],
          [layout.httpPort, PORTS.http],
        ] as const
        for (const [from, to] of moves) {
          // Gossip and blobs stay on one address, as they do on a mesh; visitors come by any.
          const open = to === PORTS.dns || to === PORTS.http
          placed = placed.replaceAll(`127.0.0.1:${from}`, open ? `[::]:${to}` : `${ipv4}:${to}`)
        }
      }
      const keys = Object.entries(health).map(([key, value]) => `${key} = ${value}\n`)
      const withoutHealth = placed.replace(/\[health\]\n([a-z_]+ = .*\n)*/, '')
      return `${withoutHealth}${keys.length === 0 ? '' : `[health]\n${keys.join('')}`}${config}`
    })
  }

  #describe(daemon: Daemon, i: number, { ipv6 = false, places }: NetworkedOptions): Change {
    const host = this.host(daemon.name)
    const place = places?.[i]
    const addresses = { ipv4: host.ipv4, ipv6: ipv6 ? host.ipv6 : null }
    return {
      kind: 'node.update',
      key: this.keyOf(daemon),
      set: { addresses, ...(place === undefined ? {} : { place }) },
    }
  }

  /** The key under which a node is a member. */
  keyOf(daemon: Daemon): MemberKey {
    return this.cluster.keyOf(daemon)
  }
}
