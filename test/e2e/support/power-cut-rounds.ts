import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type BlobHash,
  type Hostname,
  hashBlob,
  type OperationId,
  operationIdOf,
  silentLog,
} from '../../../core/index.ts'
import { openBlobReader, openLevelStore } from '../../../replication/index.ts'
import { eventually } from '../../support/eventually.ts'
import { inTime } from '../../support/in-time.ts'
import { compilePowerCut, PowerCutDisk, type PowerCutOptions } from '../../support/power-cut.ts'
import { createRandom, type Random } from '../../support/seeds.ts'
import { type Daemon, DaemonCluster, listOperations } from './daemons.ts'
import { encodePath, Visitor } from './http.ts'
import { PowerCutWriter } from './power-cut-writer.ts'
import type { Scene } from './scene.ts'

export interface RoundsOptions extends PowerCutOptions {
  readonly seed: number
  readonly nodes?: number
  readonly name?: string
}

/** A node with the disk under it and the client that writes to it. */
interface Station {
  readonly daemon: Daemon
  readonly disk: PowerCutDisk
  readonly writer: PowerCutWriter
}

/** Acknowledgements between two cuts, at most. */
const MAX_WRITES = 14
/** Turns of the event loop after an acknowledgement: the moments within a write. */
const MAX_TURNS = 120
/** Older releases may have been collected. */
const CHECKED_RELEASES = 3

/**
 * A cluster of real daemons that write to disks without power of their own. Each round lets clients write, kills some
 * or all of the nodes with -9, leaves on their disks what a power cut leaves, looks whether all that they acknowledged is
 * still there, and starts them again. `lost` says in words what is missing; empty when every promise was kept.
 */
export class PowerCutRounds implements AsyncDisposable {
  readonly lost: string[] = []
  readonly #cluster: DaemonCluster
  readonly #stations: readonly Station[]
  readonly #random: Random
  readonly #scratch: string

  private constructor(cluster: DaemonCluster, stations: readonly Station[], random: Random, scratch: string) {
    this.#cluster = cluster
    this.#stations = stations
    this.#random = random
    this.#scratch = scratch
  }

  static async start(scene: Scene, options: RoundsOptions): Promise<PowerCutRounds> {
    const random = createRandom(options.seed)
    const cluster = await DaemonCluster.make(scene, options)
    const library = compilePowerCut(scene.folder)
    const stations = cluster.daemons.map((daemon, i): Station => {
      const disk = new PowerCutDisk(daemon.layout.dataDirectory, library, options)
      daemon.env = disk.env
      const { id, operator, seed } = cluster
      const last = seed.at(-1)
      if (last === undefined) throw new Error('the cluster has no operation')
      const domain = `w${i}.test` as Hostname
      return { daemon, disk, writer: new PowerCutWriter(daemon, { cluster: id, operator, last, random, domain }) }
    })
    const rounds = new PowerCutRounds(cluster, stations, random, scene.path('look'))
    try {
      await cluster.start()
      return rounds
    } catch (error) {
      await rounds[Symbol.asyncDispose]()
      throw error
    }
  }

  get acknowledged(): number {
    return this.#stations.reduce((sum, { writer }) => sum + writer.acknowledged.length, 0)
  }

  get releases(): number {
    return this.#stations.reduce((sum, { writer }) => sum + writer.releases.length, 0)
  }

  /** One cut; `torn` leaves on the disks some of what was not synced too. */
  async round(torn = this.#random.chance(0.5)): Promise<void> {
    const victims = this.#chooseVictims()
    const stop = new AbortController()
    const writes = 1 + this.#random.integer(MAX_WRITES)
    const reached = this.#after(writes)
    const running = this.#stations.map(({ writer }) => writer.run(stop.signal))
    await this.#inTime(`${writes} acknowledgements`, Promise.race([reached, Promise.all(running)]))
    for (let turns = this.#random.integer(MAX_TURNS); turns > 0; turns--) await nextTurn()
    await Promise.all(victims.map(({ daemon }) => daemon.kill()))
    stop.abort()
    await this.#inTime('the writers to end', Promise.all(running))
    for (const { disk } of victims) disk.cut(torn ? this.#random : undefined)
    for (const victim of victims) await this.#inTime(`a look at ${victim.daemon.name}`, this.#look(victim))
    await Promise.all(victims.map(({ daemon }) => daemon.start()))
    for (const { daemon } of victims) {
      const bad = daemon.log.filter(({ level, event }) => level === 'error' || event === 'store.unreadable')
      for (const line of bad) this.lost.push(`${daemon.name} was not well after the cut: ${JSON.stringify(line)}`)
    }
  }

  /** Every acknowledged operation is on every node, folded and not void; all agree; the releases are served whole. */
  async finish(): Promise<void> {
    for (const { writer } of this.#stations) await writer.settle()
    const wanted = this.#stations.flatMap(({ writer }) => writer.acknowledged)
    for (const { daemon } of this.#stations) {
      const missing = await this.#missingAt(daemon, wanted)
      for (const id of missing) this.lost.push(`${daemon.name} never got ${id}`)
    }
    if (this.lost.length > 0) return
    for (const status of await this.#cluster.agreement()) {
      if (status.void.length > 0) this.lost.push(`void: ${JSON.stringify(status.void)}`)
      if (status.held.length > 0) this.lost.push(`held: ${status.held.join()}`)
    }
    for (const station of this.#stations) await this.#checkServed(station)
  }

  #inTime<T>(what: string, work: Promise<T>): Promise<T> {
    return inTime(what, work, () => this.#stations.map(({ daemon }) => daemon.describe()).join('\n'))
  }

  #chooseVictims(): readonly Station[] {
    if (this.#stations.length === 1 || this.#random.chance(0.2)) return this.#stations
    return this.#random.shuffle(this.#stations).slice(0, this.#random.chance(0.7) ? 1 : 2)
  }

  #after(writes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    let left = writes
    for (const { writer } of this.#stations)
      writer.onAcknowledged = () => {
        if (--left === 0) resolve()
      }
    return promise
  }

  /** At the folder as the cut left it, before any peer could repair it. */
  async #look({ daemon, writer }: Station): Promise<void> {
    const { name, layout } = daemon
    rmSync(this.#scratch, { recursive: true, force: true })
    const folder = join(layout.dataDirectory, 'operations')
    if (existsSync(folder)) cpSync(folder, this.#scratch, { recursive: true })
    const options = { directory: this.#scratch, cluster: this.#cluster.id, runtime: systemRuntime, log: silentLog }
    try {
      await using store = await openLevelStore({ ...options, create: false })
      if (store.damaged !== undefined) this.lost.push(`${name}: a cut is taken for damage`)
      const kept = new Set((await store.list(0, store.count)).map(({ id }) => id))
      for (const id of writer.acknowledged) if (!kept.has(id)) this.lost.push(`${name} lost ${id}`)
    } catch (error) {
      this.lost.push(`${name}: its store does not open: ${String(error)}`)
    }
    const blobs = openBlobReader(layout.dataDirectory)
    const wanted = [...writer.uploaded, ...writer.releases.slice(-CHECKED_RELEASES).flatMap((release) => release.blobs)]
    for (const hash of new Set<BlobHash>(wanted)) {
      const path = blobs.path(hash)
      if (!existsSync(path)) this.lost.push(`${name} lost blob ${hash}`)
      else if (hashBlob(readFileSync(path)) !== hash) this.lost.push(`${name} has blob ${hash} in part`)
    }
  }

  async #missingAt(daemon: Daemon, wanted: readonly OperationId[]): Promise<readonly OperationId[]> {
    let missing = wanted
    const look = async (): Promise<true | undefined> => {
      const here = new Set((await listOperations(daemon.client)).map((bytes) => operationIdOf(bytes, this.#cluster.id)))
      missing = wanted.filter((id) => !here.has(id))
      return missing.length === 0 ? true : undefined
    }
    await eventually(`all operations at ${daemon.name}`, look, { tries: 400 }).catch(() => {})
    return missing
  }

  async #checkServed({ writer }: Station): Promise<void> {
    const release = writer.releases.at(-1)
    if (release === undefined) return
    using visitor = new Visitor()
    for (const { daemon } of this.#stations) {
      for (const [path, content] of release.files) {
        const served = await eventually(`${writer.domain} at ${daemon.name}`, async () => {
          const answer = await visitor.get(daemon.http, writer.domain, encodePath(path))
          return release.id.startsWith(String(answer.headers['makiatto-release'])) ? answer : undefined
        }).catch(() => undefined)
        if (served?.body.equals(content) === true) continue
        this.lost.push(`${daemon.name} does not serve ${path} of ${release.id}`)
        // Each look in vain takes minutes.
        return
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster[Symbol.asyncDispose]()
  }
}
