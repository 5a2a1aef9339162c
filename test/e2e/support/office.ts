import { dirname, join } from 'node:path'
import { DaemonCluster } from './daemons.ts'
import { parseJson } from './dev.ts'
import { Laptop } from './laptop.ts'
import type { Scene } from './scene.ts'

/** A cluster of three real nodes, and the laptops of those who work with it. */
export class Office implements AsyncDisposable {
  readonly cluster: DaemonCluster
  /** The first operator, called developer. */
  readonly owner: Laptop
  readonly #scene: Scene

  private constructor(scene: Scene, cluster: DaemonCluster) {
    this.#scene = scene
    this.cluster = cluster
    this.owner = this.buyLaptop('developer', { isOwner: true })
  }

  /** Resolves when the nodes agree. */
  static async open(scene: Scene): Promise<Office> {
    const cluster = await DaemonCluster.make(scene)
    await cluster.start()
    await cluster.agreement()
    return new Office(scene, cluster)
  }

  /** A computer with the profile and without a key; the recovery key lies on a stick beside it. */
  buyLaptop(name: string, options: { readonly isOwner?: boolean } = {}): Laptop {
    const { profile } = this.cluster
    return new Laptop(this.#scene, name, { profile, recoveryKey: join(dirname(profile), 'recovery.key'), ...options })
  }

  /** A laptop whose key was made there, read out to the owner, and added by it. */
  async admit(name: string, ...flags: readonly string[]): Promise<Laptop> {
    const laptop = this.buyLaptop(name)
    const { key } = await ask<{ key: string }>(laptop, ['operator', 'key'])
    await ask(this.owner, ['operator', 'add', name, key, ...flags])
    return laptop
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]()
  }
}

/** What a command prints with --json; throws what it said when it ended with another code than 0 or 1. */
export async function ask<T>(laptop: Laptop, args: readonly string[], options: { cwd?: string } = {}): Promise<T> {
  return parseJson<T>(await laptop.maki([...args, '--json'], options))
}
