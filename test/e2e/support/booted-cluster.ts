import { chmodSync, mkdirSync } from 'node:fs'
import type { Change } from '../../../core/index.ts'
import { type BootedHost, BootedHosts, CHECKOUT } from './booted-hosts.ts'
import { type Daemon, DaemonCluster } from './daemons.ts'
import type { Scene } from './scene.ts'

/** Ports of a server that is reached from outside. */
const PORTS = { dns: 53, http: 80, gossip: 8787, blobs: 8282 } as const
/** What the daemon runs as, and what systemd takes from it. */
const USER = 'makiatto'
const HARDENING = [
  'AmbientCapabilities=CAP_NET_BIND_SERVICE',
  'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
  'NoNewPrivileges=yes',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectControlGroups=yes',
  'RestrictNamespaces=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  // `seccomp`: by which processes that work on strangers' bytes are confined further.
  'SystemCallFilter=@system-service seccomp',
  'SystemCallArchitectures=native',
]

/** Real daemons as services of booted servers: each under systemd, as a user of its own, with little that it may do. */
export class BootedCluster implements AsyncDisposable {
  readonly hosts: BootedHosts
  readonly cluster: DaemonCluster

  private constructor(hosts: BootedHosts, cluster: DaemonCluster) {
    this.hosts = hosts
    this.cluster = cluster
  }

  /** All nodes run and agree, and the cluster knows their addresses. `config` is added to each: whole tables. */
  static async start(scene: Scene, options: { nodes?: number; config?: string } = {}): Promise<BootedCluster> {
    const cluster = await DaemonCluster.make(scene, { nodes: options.nodes ?? 1 })
    const names = cluster.daemons.map(({ name }) => name)
    mkdirSync(scene.path('compiled'), { recursive: true })
    chmodSync(scene.folder, 0o711)
    const hosts = await BootedHosts.open(names, scene.folder)
    const booted = new BootedCluster(hosts, cluster)
    try {
      for (const daemon of cluster.daemons) await booted.#place(scene, daemon, options.config ?? '')
      await cluster.start()
      await cluster.commit(...cluster.daemons.map((daemon) => booted.#describe(daemon)))
      await cluster.agreement()
      return booted
    } catch (error) {
      await booted[Symbol.asyncDispose]()
      throw error
    }
  }

  host(daemon: Daemon): BootedHost {
    return this.hosts.host(daemon.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.hosts[Symbol.asyncDispose]()
  }

  async #place(scene: Scene, daemon: Daemon, config: string): Promise<void> {
    const host = this.host(daemon)
    await host.run('useradd', '--system', '--no-create-home', '--uid', '990', USER)
    await host.run('chown', '-R', USER, scene.path('c'), scene.path('compiled'))
    // Both may lie where a service has a folder of its own.
    const binds = [`BindPaths=${scene.folder}`, `BindReadOnlyPaths=${CHECKOUT}`]
    const properties = [...HARDENING, ...binds].map((property) => `--property=${property}`)
    const env = Object.entries(scene.env)
      .filter(([name]) => name.startsWith('MAKIATTO_E2E'))
      .map(([name, value]) => `--setenv=${name}=${value}`)
    daemon.wrapper = [
      ...host.wrapper,
      'systemd-run',
      '--pipe',
      '--wait',
      '--quiet',
      '--collect',
      `--unit=makiatto`,
      `--uid=${USER}`,
      ...properties,
      ...env,
      `--setenv=NODE_COMPILE_CACHE=${scene.path('compiled')}`,
      // None outlives a test that was killed.
      '--setenv=MAKIATTO_EXIT_WITH_STDIN=1',
    ]
    daemon.configure((text) => {
      let placed = text.replace('workers = 0', 'workers = 1').replace('local_hosts = true', 'local_hosts = false')
      for (const { layout } of this.cluster.daemons) {
        const { ipv4 } = this.hosts.host(layout.name)
        const moves = [
          [layout.gossipPort, `${ipv4}:${PORTS.gossip}`],
          [layout.blobsPort, `${ipv4}:${PORTS.blobs}`],
          [layout.dnsPort, `[::]:${PORTS.dns}`],
          [layout.httpPort, `[::]:${PORTS.http}`],
        ] as const
        for (const [from, to] of moves) placed = placed.replaceAll(`127.0.0.1:${from}`, to)
      }
      return `${placed}${config}`
    })
  }

  #describe(daemon: Daemon): Change {
    const addresses = { ipv4: this.host(daemon).ipv4, ipv6: this.host(daemon).ipv6 }
    return { kind: 'node.update', key: this.cluster.keyOf(daemon), set: { addresses } }
  }
}
