import type { Random } from '../support/seeds.ts'
import type { Cluster, Member } from './world/cluster.ts'

/** Which kinds of trouble a run has; each knob can be left alone, so that a failure can be narrowed down. */
export interface Troubles {
  readonly partitions: boolean
  readonly crashes: boolean
  readonly power: boolean
  readonly disks: boolean
  readonly flips: boolean
  readonly clocks: boolean
  readonly network: boolean
  /** Laptops are switched off, and lose what they had not synced. */
  readonly laptops: boolean
}

const MINUTE_MS = 60_000

/** Breaks what can break, one thing after another, and mends all of it at the end. */
export class Nemesis {
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #acts: (() => void)[] = []
  readonly done: Record<string, number> = {}
  #running = false

  constructor(cluster: Cluster, random: Random, troubles: Troubles) {
    this.#cluster = cluster
    this.#random = random
    const add = (wanted: boolean, ...acts: (() => void)[]) => wanted && this.#acts.push(...acts)
    add(troubles.partitions, this.#partition, this.#partition, this.#oneWay, this.#heal)
    add(troubles.crashes, this.#kill, this.#crashAtSync)
    add(troubles.power, this.#losePower, this.#losePower, this.#crashAtSync, this.#blackOut)
    add(troubles.disks, this.#fillDisk)
    add(troubles.flips, this.#flipBit)
    add(troubles.clocks, this.#clock, this.#clock)
    add(troubles.network, this.#network)
    add(troubles.laptops, this.#crashLaptop, this.#crashLaptopAtSync)
  }

  begin(meanMs: number): void {
    this.#running = this.#acts.length > 0
    const next = () =>
      this.#cluster.scheduler.after(meanMs * (0.2 + 1.6 * this.#random.next()), () => {
        if (!this.#running) return
        this.#random.pick(this.#acts).call(this)
        next()
      })
    next()
  }

  /** All is well from now on: no partitions, no lost segments, room on disks, true clocks, everybody runs. */
  end(): void {
    this.#running = false
    const { network, present } = this.#cluster
    network.heal()
    Object.assign(network.faults, { loss: 0, reset: 0, jitterMs: 2 })
    this.#cluster.callLoss = 0
    for (const { machine } of this.#cluster.laptops) {
      machine.clock.correct(this.#cluster.scheduler.nowMs)
      machine.disk.onSync = undefined
    }
    for (const member of present) {
      member.machine.clock.correct(this.#cluster.scheduler.nowMs)
      member.machine.disk.onSync = undefined
      if (member.machine.disk.faults.capacityBytes < Number.POSITIVE_INFINITY) this.#freeDisk(member)
    }
  }

  #count(what: string, ...facts: (string | number)[]): void {
    this.done[what] = (this.done[what] ?? 0) + 1
    this.#cluster.scheduler.note('nemesis', what, ...facts)
  }

  get #hosts(): string[] {
    const { present, laptops } = this.#cluster
    return [...present.map(({ machine }) => machine.host), ...laptops.map(({ machine }) => machine.host)]
  }

  #running_(): Member | undefined {
    const running = this.#cluster.present.filter(({ machine, process }) => machine.isUp && process !== undefined)
    return running.length === 0 ? undefined : this.#random.pick(running)
  }

  /** Any shape: halves, an islander, a ring of pairs, overlapping groups. */
  #partition(): void {
    const { network } = this.#cluster
    network.heal()
    const groups = new Map(this.#hosts.map((host) => [host, this.#random.integer(1 + this.#random.integer(3) + 1)]))
    const overlapping = this.#random.chance(0.2)
    for (const [a, groupA] of groups)
      for (const [b, groupB] of groups)
        if (overlapping ? Math.abs(groupA - groupB) > 1 : groupA !== groupB) network.cut(a, b)
    this.#count('partition')
  }

  /** What one sends does not arrive; what it is sent does. */
  #oneWay(): void {
    const hosts = this.#hosts
    const mute = this.#random.pick(hosts)
    for (const host of hosts) if (host !== mute) this.#cluster.network.cut(mute, host)
    this.#count('one-way', mute)
  }

  #heal(): void {
    this.#cluster.network.heal()
    this.#count('heal')
  }

  #kill(): void {
    const member = this.#running_()
    if (member === undefined) return
    this.#count('kill', member.machine.name)
    this.#cluster.crash(member, 'kill', this.#random.integer(10_000))
  }

  #losePower(): void {
    const member = this.#running_()
    if (member === undefined) return
    this.#count('power', member.machine.name)
    this.#cluster.crash(member, 'power', this.#random.integer(10_000))
  }

  /** All that is not synced anywhere is gone. */
  #blackOut(): void {
    if (this.#random.chance(0.7)) return
    this.#count('blackout')
    for (const member of this.#cluster.present)
      if (member.machine.isUp) this.#cluster.crash(member, 'power', this.#random.integer(5000))
  }

  /** Not the owner's: what is done about members begins there, and the world waits for it. */
  #crashLaptop(): void {
    const laptop = this.#random.pick(this.#cluster.laptops.slice(1))
    if (!laptop.isReady) return
    this.#count('laptop', laptop.machine.name)
    this.#cluster.crashLaptop(laptop, this.#random.pick(['kill', 'power'] as const), this.#random.integer(5000))
  }

  #crashLaptopAtSync(): void {
    const laptop = this.#random.pick(this.#cluster.laptops.slice(1))
    const when = this.#random.pick(['before', 'after'] as const)
    const { disk } = laptop.machine
    disk.onSync = (at) => {
      if (at !== when) return
      disk.onSync = undefined
      this.#count(`laptop-${when}-sync`, laptop.machine.name)
      this.#cluster.crashLaptop(laptop, 'power', this.#random.integer(5000))
    }
  }

  /** Just before a sync takes effect, or just after, when nobody was told yet. */
  #crashAtSync(): void {
    const member = this.#running_()
    if (member === undefined) return
    const when = this.#random.pick(['before', 'after'] as const)
    const { disk } = member.machine
    let syncs = this.#random.integer(4)
    disk.onSync = (at) => {
      if (at !== when || syncs-- > 0) return
      disk.onSync = undefined
      this.#count(`power-${when}-sync`, member.machine.name)
      this.#cluster.crash(member, 'power', this.#random.integer(5000))
    }
  }

  #fillDisk(): void {
    const member = this.#running_()
    if (member === undefined) return
    const { disk } = member.machine
    if (disk.faults.capacityBytes < Number.POSITIVE_INFINITY) return
    this.#count('disk-full', member.machine.name)
    disk.faults.capacityBytes = disk.usedBytes() + this.#random.integer(2000)
    this.#cluster.scheduler.after(5000 + this.#random.integer(15_000), () => this.#freeDisk(member))
  }

  /** A store that failed stays so until the node is started again, which is what its owner does when there is room. */
  #freeDisk(member: Member): void {
    const { disk } = member.machine
    if (disk.faults.capacityBytes === Number.POSITIVE_INFINITY) return
    disk.faults.capacityBytes = Number.POSITIVE_INFINITY
    this.#cluster.crash(member, 'kill', 500)
  }

  /** Of a node that has nothing that no other has: what was only there would be gone, which no program can help. */
  #flipBit(): void {
    const member = this.#running_()
    if (member?.process === undefined) return
    const { replica } = member.process.shared
    const others = this.#cluster.running.filter((process) => process !== member.process)
    for (const id of replica.ids()) if (!others.some(({ shared }) => shared.has(id))) return
    this.#cluster.crash(member, 'kill', 1000)
    const flips = 1 + this.#random.integer(3)
    const isMeant = this.#random.pick([
      (path: string) => path.endsWith('.log'),
      (path: string) => path.endsWith('.log'),
      (path: string) => path.endsWith('checkpoint.bin'),
      (path: string) => !path.endsWith('/CURRENT'),
    ])
    for (let i = 0; i < flips; i++) member.machine.disk.flipBit(isMeant)
    this.#count('flip', member.machine.name)
  }

  #clock(): void {
    const { present, laptops, scheduler } = this.#cluster
    const { clock, name } = this.#random.pick([
      ...present.map(({ machine }) => machine),
      ...laptops.map(({ machine }) => machine),
    ])
    if (this.#random.chance(0.5)) clock.setDrift((this.#random.next() - 0.5) * 0.2, scheduler.nowMs)
    else clock.offsetMs += (this.#random.next() - 0.5) * 2 * this.#random.pick([1000, MINUTE_MS, 7 * MINUTE_MS])
    this.#count('clock', name)
  }

  #network(): void {
    const { faults } = this.#cluster.network
    faults.loss = this.#random.pick([0, 0.02, 0.2])
    faults.reset = this.#random.pick([0, 0.001, 0.02])
    faults.jitterMs = this.#random.pick([1, 20, 500])
    this.#cluster.callLoss = this.#random.pick([0, 0.1, 0.4])
    this.#count('network')
  }
}
