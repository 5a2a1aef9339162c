import { createSocket } from 'node:dgram'
import { decode, encode } from 'dns-packet'
import { parseHostname } from '../../../core/index.ts'
import { type Daemon, DaemonCluster } from './daemons.ts'
import type { Scene } from './scene.ts'

/** Quick enough to wait for. */
const HEALTH = { check_interval: 1, dns_timeout: 1, http_timeout: 1, failure_threshold: 2, success_threshold: 1 }
const ANSWER_MS = 2_000

/** What a test wants of a cluster on loopback addresses. */
export interface LoopbackOptions {
  readonly nodes: number
  readonly apex: string
  /** Keys of `[health]`. */
  readonly health?: Readonly<Record<string, number | boolean>>
}

/**
 * Real daemons on this machine, each with a public address that only it has: 127.0.0.2, 127.0.0.3 and so on. Without root
 * and without a network of their own; nothing can be cut but by ending or stopping a daemon.
 */
export class LoopbackCluster implements AsyncDisposable {
  readonly cluster: DaemonCluster

  private constructor(cluster: DaemonCluster) {
    this.cluster = cluster
  }

  /** All nodes run and agree; each answers with every address that it has nothing against. */
  static async start(scene: Scene, options: LoopbackOptions): Promise<LoopbackCluster> {
    const cluster = await DaemonCluster.make(scene, { nodes: options.nodes })
    const made = new LoopbackCluster(cluster)
    try {
      for (const daemon of cluster.daemons) made.#place(daemon, options.health)
      await cluster.start()
      await cluster.commit(
        { kind: 'domain.set', domain: parseHostname(options.apex), spa: false, onConcurrent: 'latest', previews: true },
        ...cluster.daemons.map((daemon) => {
          const addresses = { ipv4: made.addressOf(daemon), ipv6: null }
          return { kind: 'node.update', key: cluster.keyOf(daemon), set: { addresses } } as const
        }),
      )
      await cluster.agreement()
      return made
    } catch (error) {
      await made[Symbol.asyncDispose]()
      throw error
    }
  }

  get daemons(): readonly Daemon[] {
    return this.cluster.daemons
  }

  addressOf(daemon: Daemon): string {
    return `127.0.0.${2 + this.daemons.indexOf(daemon)}`
  }

  /** The addresses that a node answers with, over UDP. Rejects when it does not answer. */
  async given(daemon: Daemon, name: string): Promise<readonly string[]> {
    const socket = createSocket('udp4')
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
    const timer = setTimeout(() => reject(new Error(`${daemon.name} does not answer`)), ANSWER_MS)
    socket.once('error', reject).once('message', (bytes) => {
      const { answers = [] } = decode(bytes)
      resolve(answers.flatMap((answer) => (answer.type === 'A' ? [answer.data] : [])).sort())
    })
    socket.send(
      encode({ type: 'query', id: 1, questions: [{ name, type: 'A' }] }),
      daemon.layout.dnsPort,
      this.addressOf(daemon),
    )
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      socket.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
  }

  #place(daemon: Daemon, more: LoopbackOptions['health'] = {}): void {
    const { dnsPort, httpPort } = daemon.layout
    daemon.configure((text) => {
      let placed = text.replace(/\[health\]\n([a-z_]+ = .*\n)*/, '')
      for (const port of [dnsPort, httpPort])
        placed = placed.replace(`127.0.0.1:${port}`, `${this.addressOf(daemon)}:${port}`)
      const health = Object.entries({ ...HEALTH, ...more }).map(([key, value]) => `${key} = ${value}\n`)
      return `${placed.replace('[dns]\n', `[dns]\nanswers = ${this.daemons.length}\n`)}\n[health]\n${health.join('')}`
    })
  }
}
