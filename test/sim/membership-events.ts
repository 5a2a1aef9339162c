import { asMakiError, type Change, type Operation } from '../../core/index.ts'
import type { Random } from '../support/seeds.ts'
import type { Mallory } from './adversaries/mallory.ts'
import type { Workload } from './workload.ts'
import type { Cluster } from './world/cluster.ts'
import { DOMAINS } from './world/cluster.ts'

const CALM_MS = 3000

/** What the owner does about members while all this goes on: joins, removals, grants, and the end of a stolen key. */
export class MembershipEvents {
  /** The operation that revoked the second operator's key. */
  revocation: Operation | undefined
  readonly done: Record<string, number> = {}
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #workload: Workload

  constructor(cluster: Cluster, random: Random, workload: Workload) {
    this.#cluster = cluster
    this.#random = random
    this.#workload = workload
  }

  /** Adds a machine: joined by the owner, started with all that the owner knows, and told to the others. */
  join(name: string): void {
    this.#run('join', async () => {
      const owner = this.#cluster.laptop('owner')
      const member = this.#cluster.addMachine(name)
      member.joining = true
      if (!(await this.#workload.write(owner, [this.#cluster.joinChange(member.machine)]))) {
        member.removed = true
        return
      }
      await this.#workload.exchange(owner)
      const { operations } = await owner.replica.page(undefined, 100_000)
      member.joining = false
      this.#cluster.start(member, operations)
      this.#cluster.spreadAddresses()
    })
  }

  /** Takes a machine away, once everything that it has is elsewhere: as a drain does. */
  remove(): void {
    this.#run('remove', async () => {
      const { scheduler, present } = this.#cluster
      const member = this.#random.pick(present)
      if (present.length < 4 || member.process === undefined) return
      member.leaving = true
      await scheduler.sleep(15_000 + CALM_MS)
      const replica = member.process?.shared.replica
      const others = this.#cluster.running.filter((process) => process !== member.process)
      const drained =
        replica !== undefined && [...replica.ids()].every((id) => others.some(({ shared }) => shared.has(id)))
      const change: Change = { kind: 'node.remove', key: member.machine.key, how: 'retire' }
      if (!drained || !(await this.#workload.write(this.#cluster.laptop('owner'), [change]))) {
        member.leaving = false
        return
      }
      member.removed = true
      member.machine.kill()
      this.#cluster.spreadAddresses()
      await this.#workload.exchange(this.#cluster.laptop('owner'))
    })
  }

  /** The deployer may publish to one more domain. */
  grant(): void {
    this.#run('grant', async () => {
      const { key } = this.#cluster.signer('deployer')
      const domains = [...DOMAINS]
      const change: Change = { kind: 'operator.add', key, name: 'ci', role: 'deployer', domains }
      await this.#workload.write(this.#cluster.laptop('owner'), [change])
    })
  }

  /** The second operator leaves: what it made meanwhile, somewhere else, counts. */
  retire(): void {
    this.#run('retire', async () => {
      const change: Change = { kind: 'operator.remove', key: this.#cluster.signer('partner').key, how: 'retire' }
      await this.#workload.write(this.#cluster.laptop('owner'), [change])
    })
  }

  /** The second operator's key is stolen: what the owner had not seen is cut. */
  revoke(): void {
    this.#run('revoke', async () => {
      const { key } = this.#cluster.signer('partner')
      const owner = this.#cluster.laptop('owner')
      await this.#workload.exchange(owner)
      this.#cluster.cut.add(key)
      this.revocation = await owner.commit([{ kind: 'operator.remove', key, how: 'revoke' }])
      await this.#workload.exchange(owner)
    })
  }

  /** Promise 3: of what the thief signed only that counts which the owner had seen; and seniors stay who they are. */
  check(mallory: Mallory, isAncestor: (a: Operation['id'], b: Operation['id']) => boolean): void {
    const owner = this.#cluster.signer('owner').key
    for (const { machine, process } of this.#cluster.present) {
      if (process === undefined) continue
      const { replica } = process.shared
      if (!replica.isMember(owner))
        this.#cluster.violate('3: bounded by role and rank', `${machine.name} has lost the owner`)
      for (const { id } of mallory.stolen) {
        const counted = replica.explain(id).status === 'counted'
        if (!counted || this.revocation === undefined || isAncestor(id, this.revocation.id)) continue
        this.#cluster.violate('3: bounded by role and rank', `${machine.name} counts ${id} of a revoked key`)
      }
    }
  }

  #run(what: string, act: () => Promise<void>): void {
    this.done[what] = (this.done[what] ?? 0) + 1
    this.#cluster.scheduler.note('membership', what)
    act().catch((error: unknown) => {
      const { code, stack } = asMakiError(error)
      if (code === 'MAKI_INTERNAL' || code === 'MAKI_INVALID') this.#cluster.violate('no crash', `${what}: ${stack}`)
    })
  }
}
