import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ControlClient } from '../../../cli/client/control-client.ts'
import { dataFolderAt } from '../../../cli/client/data-folder.ts'
import { LocalReplica } from '../../../cli/client/local-replica.ts'
import { findProfileKey } from '../../../cli/client/profile-key.ts'
import { devFolderAt, makeDevFolder } from '../../../cli/dev/data-folder.ts'
import { type NodeLayout, planNodes } from '../../../cli/dev/layout.ts'
import { prepareCluster } from '../../../cli/dev/local-cluster.ts'
import { controlSocketPath } from '../../../cli/dev/socket-path.ts'
import { NODE_FLAGS } from '../../../cli/node/node-flags.ts'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type Change,
  type ClusterId,
  createOperation,
  decodeOperation,
  type MemberKey,
  nextStamp,
  type Operation,
  type Signer,
  silentLog,
} from '../../../core/index.ts'
import type { ClusterStatus } from '../../../edge/index.ts'
import { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'
import { inTime } from '../../support/in-time.ts'
import { ROOT, type Scene } from './scene.ts'

const MAIN = join(ROOT, 'cli', 'makiatto.ts')

/** A line of a daemon's log. */
export interface LogLine {
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/** One daemon: the real program with a real configuration, started, killed and started again by a test. */
export class Daemon implements AsyncDisposable {
  readonly layout: NodeLayout
  readonly client: ControlClient
  /** Added to what the process is started with. */
  env: Readonly<Record<string, string>> = {}
  /** The program and its first arguments stand before the daemon's: `unshare -m …`. */
  wrapper: readonly string[] = []
  /** Flags of its command. */
  flags: readonly string[] = ['--no-wireguard']
  readonly #scene: Scene
  #child: Child | undefined
  readonly #abandoned: Child[] = []

  constructor(scene: Scene, layout: NodeLayout) {
    this.#scene = scene
    this.layout = layout
    const socketPath = controlSocketPath(layout, {})
    this.client = new ControlClient({ socketPath, name: layout.name, runtime: systemRuntime })
  }

  get name(): string {
    return this.layout.name
  }

  get http(): string {
    return `http://127.0.0.1:${this.layout.httpPort}`
  }

  /** The main file of the daemon's program. */
  get program(): string {
    return MAIN
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** What the present process, or the last one, has logged. */
  get log(): readonly LogLine[] {
    return (this.#child?.lines ?? this.#lastLines).flatMap((line) => {
      try {
        return line.startsWith('{') ? [JSON.parse(line) as LogLine] : []
      } catch {
        return []
      }
    })
  }

  get output(): string {
    return (this.#child?.lines ?? this.#lastLines).join('\n')
  }

  /** For a test that waited in vain. */
  describe(): string {
    return `${this.name}: ${this.#child?.describe() ?? `not running\n${this.output}`}`
  }

  #lastLines: readonly string[] = []

  /** Resolves when the node listens; rejects with all that it said when it ends before. */
  async start(): Promise<void> {
    const [command, ...args] = [...this.wrapper, process.execPath, ...NODE_FLAGS, MAIN, 'run']
    const child = new Child(command as string, [...args, '--config', this.layout.config, ...this.flags], {
      cwd: this.#scene.folder,
      env: {
        ...this.#scene.env,
        // Each start would compile all modules again otherwise.
        NODE_COMPILE_CACHE: this.#scene.compiled,
        // None outlives a test that was killed.
        MAKIATTO_EXIT_WITH_STDIN: '1',
        ...this.env,
      },
    })
    this.#child = child
    try {
      const ready = child.waitForLine((line) => line.includes('"event":"node.ready"'))
      await inTime(`${this.name} to be ready`, ready, () => child.describe())
    } catch (error) {
      this.#lastLines = child.lines
      this.#child = undefined
      throw error
    }
  }

  /** What a start that must not succeed ended with. */
  async refuseToStart(): Promise<{ readonly code: number | null; readonly output: string }> {
    const started = await this.start().then(
      () => true,
      () => false,
    )
    if (!started) return { code: 1, output: this.output }
    await this.stop()
    throw new Error(`${this.name} has started:\n${this.output}`)
  }

  /** The first line of that event, of the present process, that has the given text in it; waits for it. */
  async event(name: string, text = ''): Promise<LogLine> {
    const line = await this.#running().waitForLine((one) => one.includes(`"event":"${name}"`) && one.includes(text))
    return JSON.parse(line) as LogLine
  }

  /** Changes the configuration file; takes effect with the next start. */
  configure(edit: (text: string) => string): void {
    writeFileSync(this.layout.config, edit(readFileSync(this.layout.config, 'utf8')))
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** kill -9 of the daemon alone: its workers go on, and hold its streams. */
  async killControl(): Promise<void> {
    await this.#abandon('SIGKILL')
  }

  /** Tells the daemon to leave its workers to the next one. */
  async handOver(): Promise<void> {
    await this.#abandon('SIGUSR2')
  }

  async #abandon(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running()
    child.kill(signal)
    await inTime(`${this.name} to be gone`, child.exited, () => child.describe())
    this.#abandoned.push(child)
    this.#lastLines = child.lines
    this.#child = undefined
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** To the daemon and its workers, which would go on without it. */
  signalAll(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    process.kill(-this.#running().pid, signal)
  }

  /** kill -9 of the daemon and of its workers: the server is gone. */
  async powerOff(): Promise<void> {
    this.signalAll('SIGKILL')
    await this.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]()
    for (const child of this.#abandoned) await child[Symbol.asyncDispose]()
    this.client[Symbol.dispose]()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running()
    child.kill(signal)
    await inTime(`${this.name} to end by ${signal}`, child.ended, () => child.describe())
    this.#lastLines = child.lines
    this.#child = undefined
  }

  #running(): Child {
    if (this.#child === undefined) throw new Error(`${this.name} does not run`)
    return this.#child
  }
}

/** Daemons of one cluster on this machine, made by the code of `maki dev`, not started yet; the test is their operator. */
export class DaemonCluster implements AsyncDisposable {
  readonly id: ClusterId
  readonly daemons: readonly Daemon[]
  readonly operator: Signer
  /** What the nodes start from: the creation of the cluster and what admits them. */
  readonly seed: readonly Operation[]
  readonly profile: string

  private constructor(parts: Pick<DaemonCluster, 'id' | 'daemons' | 'operator' | 'seed' | 'profile'>) {
    this.id = parts.id
    this.daemons = parts.daemons
    this.operator = parts.operator
    this.seed = parts.seed
    this.profile = parts.profile
  }

  /** Has its things in a folder of the scene, and the scene's ports. */
  static async make(scene: Scene, options: { nodes?: number; name?: string } = {}): Promise<DaemonCluster> {
    const folder = devFolderAt(scene.path(options.name ?? 'c'))
    const shape = { nodes: options.nodes ?? 3, httpPort: scene.httpPort, dnsPort: scene.dnsPort }
    const nodes = planNodes(shape, folder.path)
    await makeDevFolder(folder)
    const { signal } = new AbortController()
    const common = { folder, runtime: systemRuntime, log: silentLog, signal }
    const { profile } = await prepareCluster({ ...common, nodes, env: { HOME: scene.path('home') } })
    const operator = await findProfileKey({ dataFolder: folder.operator })
    if (operator === undefined) throw new Error('the cluster has no operator')
    const seed = await readAll(profile.cluster, folder.operator)
    const daemons = nodes.map((layout) => new Daemon(scene, layout))
    return new DaemonCluster({ id: profile.cluster, daemons, operator, seed, profile: folder.profile })
  }

  async start(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon.start()))
  }

  /** Resolves with what each running node says of the cluster, when all agree and nothing waits. */
  async agreement(): Promise<readonly ClusterStatus[]> {
    const running = this.daemons.filter((daemon) => daemon.isRunning)
    return eventually(`equal digests of ${running.map(({ name }) => name).join()}`, async () => {
      const all = await Promise.all(running.map(({ client }) => client.status()))
      const own = all.map(({ self, nodes }) => nodes.find(({ key }) => key === self)?.digest)
      if (new Set(own).size === 1 && own[0] != null && all.every(({ pending }) => pending.length === 0)) return all
      throw new Error(`digests ${own.join()}, pending ${all.map(({ pending }) => pending.length).join()}`)
    })
  }

  /** An operation of the operator, handed to the first node that runs. */
  async commit(...changes: readonly Change[]): Promise<void> {
    const daemon = this.daemons.find(({ isRunning }) => isRunning)
    if (daemon === undefined) throw new Error('no node runs')
    const all = (await listOperations(daemon.client)).map((bytes) => decodeOperation(bytes, this.id))
    const followed = new Set(all.flatMap(({ heads }) => heads))
    const heads = all.filter(({ id }) => !followed.has(id))
    const stamps = heads.map(({ stamp }) => stamp)
    const { bytes } = createOperation(this.operator, this.id, {
      stamp: nextStamp(systemRuntime.now(), stamps),
      heads: heads.map(({ id }) => id),
      changes,
    })
    await daemon.client.accept([bytes])
  }

  /** The key under which a node is a member. */
  keyOf(daemon: Daemon): MemberKey {
    for (const { changes } of this.seed) {
      for (const change of changes ?? [])
        if (change.kind === 'node.join' && change.name === daemon.name) return change.key
    }
    throw new Error(`${daemon.name} never joined`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon[Symbol.asyncDispose]()))
  }
}

async function readAll(cluster: ClusterId, dataFolder: string): Promise<Operation[]> {
  const folder = dataFolderAt(dataFolder)
  await using local = await LocalReplica.open({ cluster, folder, runtime: systemRuntime, log: silentLog })
  const operations = await Array.fromAsync(local.replica.history())
  return operations.reverse()
}

/** All operations that a node has, in its order of arrival. */
export async function listOperations(client: ControlClient): Promise<readonly Uint8Array[]> {
  const all: Uint8Array[] = []
  for (let after: string | undefined; ; ) {
    const page = await client.operations(after)
    all.push(...page.operations)
    after = page.cursor
    if (!page.more) return all
  }
}
