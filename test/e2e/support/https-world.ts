import { writeFileSync } from 'node:fs'
import type { Bundle } from '../../../cli/bundle/index.ts'
import type { Hostname } from '../../../core/index.ts'
import { Pebble } from '../../support/pebble.ts'
import { BareHosts, type Operator } from './bare-hosts.ts'
import type { BootedHost } from './booted-hosts.ts'
import {
  AUTHORITIES,
  type Delegation,
  delegateTo,
  type ForeignZone,
  Internet,
  RESOLVER,
  TOP_LEVEL,
  useInternet,
} from './internet.ts'
import { MeshHistory } from './mesh-history.ts'
import { Scene } from './scene.ts'
import { initServer, makeBundle } from './servers.ts'
import { Underlay } from './underlay.ts'

const NAMES = ['amsterdam', 'newyork', 'singapore'] as const
/** A zone of ours, and one that somebody else has, from which hosts lead to us. */
export const ZONE = `shop.${TOP_LEVEL}` as Hostname
export const FOREIGN_ZONE = `elsewhere.${TOP_LEVEL}`

/** An authority of the test, and what its management says at a path. */
export interface WorldAuthority {
  readonly pebble: Pebble
  manage(path: string): Promise<string>
  /** From now on it refuses connections. */
  shut(): Promise<void>
  /** It answers again. */
  open(): Promise<void>
}

/** Three servers that `maki machine init` set up, on an internet of their own where a zone is delegated to them. */
export class HttpsWorld implements AsyncDisposable {
  readonly scene: Scene
  readonly hosts: BareHosts
  readonly servers: readonly [BootedHost, BootedHost, BootedHost]
  readonly internet: Internet
  readonly underlay: Underlay
  readonly bundle: Bundle
  readonly #owned: AsyncDisposableStack
  #foreign = new Map<string, readonly BootedHost[]>()
  #history: MeshHistory | undefined

  private constructor(
    owned: AsyncDisposableStack,
    parts: Pick<HttpsWorld, 'scene' | 'hosts' | 'internet' | 'underlay' | 'bundle'>,
  ) {
    this.#owned = owned
    this.scene = parts.scene
    this.hosts = parts.hosts
    this.internet = parts.internet
    this.underlay = parts.underlay
    this.bundle = parts.bundle
    this.servers = NAMES.map((name) => parts.hosts.host(name)) as [BootedHost, BootedHost, BootedHost]
  }

  /** The servers are bare still. */
  static async open(): Promise<HttpsWorld> {
    await using owned = new AsyncDisposableStack()
    const scene = owned.use(await Scene.open())
    const hosts = owned.use(await BareHosts.open(scene, NAMES))
    const zones = [
      delegateTo(
        ZONE,
        NAMES.map((name) => hosts.host(name)),
      ),
    ]
    const internet = owned.use(await Internet.open(scene, hosts.hosts, zones))
    const underlay = await Underlay.open(hosts.hosts, NAMES)
    const bundle = await makeBundle(hosts.operator)
    return new HttpsWorld(owned.move(), { scene, hosts, internet, underlay, bundle })
  }

  get operator(): Operator {
    return this.hosts.operator
  }

  get history(): MeshHistory {
    if (this.#history === undefined) throw new Error('there is no cluster yet')
    return this.#history
  }

  /** Makes nodes of the servers, one after the other. */
  async init(): Promise<void> {
    for (const server of this.servers) {
      await useInternet(server)
      const { code, stdout, stderr } = await initServer(this.operator, server, '--binary-path', this.bundle.file)
      if (code !== 0) throw new Error(`${stdout}${stderr}`)
    }
    this.#history = await MeshHistory.of(this.operator)
  }

  /** Adds tables to the configuration of every node, and restarts them all. */
  async configure(tables: string): Promise<void> {
    for (const server of this.servers) {
      const config = await server.read('/etc/makiatto/makiatto.toml')
      await server.write(
        '/etc/makiatto/makiatto.toml',
        `${config.split('\n# Of the test\n')[0]}\n# Of the test\n${tables}`,
      )
      await server.run('systemctl', 'restart', 'makiatto')
    }
  }

  /** Runs a command that has to succeed, and gives what it printed as JSON. */
  async json<T = unknown>(words: readonly string[], cwd = this.operator.home): Promise<T> {
    const outcome = await this.operator.maki([...words, '--json'], { cwd })
    if (outcome.code !== 0) throw new Error(`maki ${words.join(' ')}\n${outcome.stdout}${outcome.stderr}`)
    return JSON.parse(outcome.stdout) as T
  }

  /** Says in the zone that is somebody else's where a host leads. */
  async point(host: string, servers: readonly BootedHost[]): Promise<void> {
    this.#foreign.set(host, servers)
    await this.delegate([delegateTo(ZONE, this.servers)])
  }

  /** The same for every host that was pointed anywhere. */
  async pointAll(servers: readonly BootedHost[]): Promise<void> {
    this.#foreign = new Map([...this.#foreign.keys()].map((host) => [host, servers]))
    await this.delegate([delegateTo(ZONE, this.servers)])
  }

  /** Starts a certificate authority that resolves as the servers do. */
  async addAuthority(number: 0 | 1): Promise<WorldAuthority> {
    const port = 14_000 + number
    const pebble = await Pebble.open({
      address: AUTHORITIES[number],
      ports: [port, 15_000 + number],
      resolver: `${RESOLVER}:53`,
      httpPort: 80,
      refusedNonces: 5,
      wrapper: this.internet.wrapper,
    })
    this.#owned.use(pebble)
    const ca = this.scene.path(`authority-${number}.pem`)
    writeFileSync(ca, pebble.apiCa)
    const manage = (path: string) =>
      this.internet.run('curl', '-sS', '--cacert', ca, `https://${AUTHORITIES[number]}:${15_000 + number}${path}`)
    await this.underlay.openTcp(port)
    // Of all but what its management is asked.
    const rule = `table inet authority_${number} { chain input { type filter hook input priority 0; tcp dport ${port} reject with tcp reset; }; }`
    const shut = async () => void (await this.internet.run('nft', rule))
    const open = async () => void (await this.internet.run('nft', 'delete', 'table', 'inet', `authority_${number}`))
    return { pebble, manage, shut, open }
  }

  /** What the parent says, in place of what it said before. */
  async delegate(delegations: readonly Delegation[]): Promise<void> {
    const records = [...this.#foreign].flatMap(([host, servers]) =>
      servers.flatMap(({ ipv4, ipv6 }) => [`${host}. A ${ipv4}`, `${host}. AAAA ${ipv6}`]),
    )
    const foreign: ForeignZone = { apex: FOREIGN_ZONE, records }
    await this.internet.delegate(delegations, [foreign])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }
}
