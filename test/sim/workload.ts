import type { Change, Hostname, OwnerName } from '../../core/index.ts'
import { asMakiError } from '../../core/index.ts'
import type { Random } from '../support/seeds.ts'
import { buildSite, type Site } from './world/blobs.ts'
import { type Cluster, DOMAINS } from './world/cluster.ts'
import type { Laptop } from './world/laptop.ts'

const HOSTS = ['www.example.com', 'www.example.org', 'shop.example.com'] as Hostname[]
const NAMES = ['@', 'www', 'mail'] as OwnerName[]

/** What people do meanwhile: changes on every laptop, online and offline, handed to any node that answers. */
export class Workload {
  readonly #cluster: Cluster
  readonly #random: Random
  #running = false
  /** Operations made on laptops. */
  made = 0
  #sites = 0

  constructor(cluster: Cluster, random: Random) {
    this.#cluster = cluster
    this.#random = random
  }

  /** Each laptop works about every `meanMs`. */
  begin(meanMs: number): void {
    this.#running = true
    for (const laptop of this.#cluster.laptops) this.#schedule(laptop, meanMs)
  }

  stop(): void {
    this.#running = false
  }

  /** Makes one operation on a laptop, where its key still may. Returns whether it did. */
  async write(laptop: Laptop, changes: readonly Change[]): Promise<boolean> {
    if (!laptop.isReady || !laptop.replica.isMember(laptop.machine.key)) return false
    try {
      await laptop.commit(changes)
      this.made++
      return true
    } catch (thrown) {
      // A clock far behind what it has seen may not write; a disk may be full.
      const { code } = asMakiError(thrown)
      if (!['MAKI_OPERATION_REFUSED', 'MAKI_DISK_FULL', 'MAKI_STORE_FAILED', 'MAKI_STORE_DAMAGED'].includes(code))
        throw thrown
      return false
    }
  }

  /** Exchanges with any node; where that one does not answer, with another. */
  async exchange(laptop: Laptop, attempts = 2): Promise<boolean> {
    for (let i = 0; i < attempts; i++) {
      const { present } = this.#cluster
      if (await laptop.exchange(this.#cluster.remote(laptop.machine, this.#random.pick(present)))) return true
      await this.#cluster.scheduler.sleep(500)
    }
    return false
  }

  #schedule(laptop: Laptop, meanMs: number): void {
    this.#cluster.scheduler.after(meanMs * (0.2 + 1.6 * this.#random.next()), () => {
      if (!this.#running) return
      this.#schedule(laptop, meanMs)
      this.#work(laptop).catch((error: unknown) => {
        this.#cluster.violate('no crash', `${laptop.machine.name}: ${asMakiError(error).stack}`)
      })
    })
  }

  async #work(laptop: Laptop): Promise<void> {
    if (!laptop.isReady) return
    const burst = this.#random.chance(0.1) ? 5 : 1
    for (let i = 0; i < burst; i++) await this.write(laptop, this.#changes(laptop))
    if (this.#random.chance(0.7)) await this.exchange(laptop)
  }

  #changes(laptop: Laptop): Change[] {
    const isDeployer = laptop.machine.name.startsWith('deployer')
    const count = this.#random.chance(0.2) ? 3 : 1
    return Array.from({ length: count }, () =>
      isDeployer ? this.#release(laptop, DOMAINS[0] as Hostname) : this.#change(laptop),
    )
  }

  #change(laptop: Laptop): Change {
    const random = this.#random
    const domain = random.pick(DOMAINS)
    const name = random.pick(NAMES)
    const via = random.chance(0.3) ? { via: random.pick(['blog', 'shop']) } : {}
    switch (random.integer(12)) {
      case 0:
        return { kind: 'domain.remove', domain, ...via }
      case 1:
      case 2:
        return { kind: 'domain.set', domain, spa: random.chance(0.5), onConcurrent: 'latest', previews: true, ...via }
      case 3:
        return { kind: 'alias.set', domain, host: random.pick(HOSTS), ...via }
      case 4:
        return { kind: 'alias.remove', domain, host: random.pick(HOSTS), ...via }
      case 5:
        return { kind: 'record.remove', domain, name, type: 'A', ...via }
      case 6: {
        const { machine } = random.pick(this.#cluster.present)
        return { kind: 'node.update', key: machine.key, set: { drained: random.chance(0.5) } }
      }
      case 7:
      case 8:
        return this.#release(laptop, domain)
      default:
        return {
          kind: 'record.set',
          domain,
          name,
          type: 'A',
          ttl: 300,
          values: [`192.0.2.${random.integer(4)}`],
          ...via,
        }
    }
  }

  #release(laptop: Laptop, domain: Hostname): Change {
    const site = this.buildSite()
    laptop.keep(site)
    return publish(domain, site)
  }

  buildSite(): Site {
    return buildSite(`release ${++this.#sites}`, 2 + this.#random.integer(4), this.#random.integer(3))
  }
}

export function publish(domain: Hostname, { manifest, tree, files, bytes }: Site): Change {
  return { kind: 'release.publish', domain, manifest, tree, files, bytes, aliases: [] }
}
