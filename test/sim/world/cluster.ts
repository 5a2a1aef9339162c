import { createHash } from 'node:crypto'
import {
  asMakiError,
  type Change,
  type ClusterId,
  createOperation,
  createSigner,
  type Hostname,
  MakiError,
  type MemberKey,
  type NodeName,
  type Operation,
  type OperationId,
  type Release,
  type Signer,
} from '../../../core/index.ts'
import type { Random } from '../../support/seeds.ts'
import type { VirtualBlobs } from './blobs.ts'
import { Laptop, type Remote } from './laptop.ts'
import { Machine } from './machine.ts'
import { type Place, VirtualNetwork } from './network.ts'
import { type NodeProcess, startNodeProcess } from './node-process.ts'
import { type Scheduler, START_MS } from './scheduler.ts'

/** Where people rent servers. */
const PLACES: readonly Place[] = [
  { latitude: 52.5, longitude: 13.4 },
  { latitude: 35.7, longitude: 139.7 },
  { latitude: 40.7, longitude: -74 },
  { latitude: -33.9, longitude: 151.2 },
  { latitude: 1.35, longitude: 103.8 },
  { latitude: 37.4, longitude: -122.1 },
  { latitude: -23.5, longitude: -46.6 },
  { latitude: 50.1, longitude: 8.7 },
]

export const DOMAINS = ['example.com', 'example.org'] as Hostname[]

/** What goes wrong where nothing may: said at once, with the time. */
export interface Violation {
  readonly promise: string
  readonly detail: string
}

export interface Acknowledgement {
  readonly author: MemberKey
  readonly atMs: number
}

/** A node of the cluster: its machine, and what runs on it now. */
export interface Member {
  readonly machine: Machine
  process: NodeProcess | undefined
  /** Clients hand nothing to it any more: it is being removed. */
  leaving: boolean
  removed: boolean
  /** Not admitted yet. */
  joining: boolean
  /** Is to run: a supervisor starts it again when it ended. */
  wanted: boolean
  starts: number
}

const RESTART_MS = 2000
const CALL_TIMEOUT_MS = 10_000

/** Machines, nodes and laptops of one cluster, and what the world knows of them. */
export class Cluster {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly network: VirtualNetwork
  readonly members: Member[] = []
  readonly laptops: Laptop[] = []
  readonly violations: Violation[] = []
  readonly acknowledged = new Map<OperationId, Acknowledgement>()
  /** Authors whose acknowledged operations may be cut, for the scenario revoked them. */
  readonly cut = new Set<MemberKey>()
  /** Operations that must never count, and why. */
  readonly forbidden = new Map<OperationId, string>()
  /** Operations that are held for longer than any run. */
  readonly future = new Set<OperationId>()
  /** Keys that members reported as used by two machines. */
  readonly cloned = new Set<MemberKey>()
  readonly complaints = new Map<string, number>()
  /** Called when a node stored something; `origin` is the link that it came by. */
  onStored: ((member: Member, ids: readonly OperationId[], origin: number | undefined) => void) | undefined
  /** Called for each release that an edge serves from now on. */
  onServe: ((member: Member, domain: Hostname, release: Release | null, blobs: VirtualBlobs) => void) | undefined
  /** Nodes say nothing about themselves. */
  isSilent = false
  /** Chance that a client's request or its answer is lost. */
  callLoss = 0
  id = '' as ClusterId
  #founding: readonly Operation[] = []
  #hosts = 0
  readonly #seed: number

  constructor(scheduler: Scheduler, random: Random, seed: number) {
    this.scheduler = scheduler
    this.random = random
    this.#seed = seed
    this.network = new VirtualNetwork(scheduler, random)
  }

  signer(name: string): Signer {
    return createSigner(new Uint8Array(createHash('sha256').update(`${this.#seed} ${name}`).digest()))
  }

  machine(name: string, place = this.random.pick(PLACES), signer = this.signer(name)): Machine {
    const host = `10.${this.#hosts >> 8}.${this.#hosts++ & 255}.1`
    const near = { latitude: place.latitude + this.random.next(), longitude: place.longitude + this.random.next() }
    return new Machine({ name, host, signer, place: near, scheduler: this.scheduler, network: this.network })
  }

  violate(promise: string, detail: string): void {
    this.scheduler.note('violation', promise, detail)
    this.violations.push({ promise, detail: `at ${(this.scheduler.nowMs / 1000).toFixed(3)} s: ${detail}` })
  }

  /** Creates the cluster with its first nodes, operators and domains, in one operation each, and starts everything. */
  async found(nodes: number, people: readonly string[] = ['owner', 'partner', 'deployer']): Promise<void> {
    const owner = this.signer('owner')
    const creation = createOperation(owner, undefined, {
      stamp: { wallMs: START_MS - 60_000, counter: 0 },
      heads: [],
      changes: [
        {
          kind: 'cluster.create',
          name: 'simulated',
          recovery: this.signer('recovery').key,
          operator: { key: owner.key, name: 'owner' },
        },
      ],
    })
    this.id = creation.id as string as ClusterId
    for (let i = 0; i < nodes; i++) this.#addMember(this.machine(`n${i}`))
    const operators: Change[] = [
      { kind: 'operator.add', key: this.signer('partner').key, name: 'partner', role: 'operator' },
      {
        kind: 'operator.add',
        key: this.signer('deployer').key,
        name: 'ci',
        role: 'deployer',
        domains: [DOMAINS[0] as Hostname],
      },
    ]
    const joins = [
      ...this.members.map(({ machine }) => joinOf(machine)),
      joinOf({ name: 'mallory', key: this.signer('mallory').key }),
    ]
    const domains = DOMAINS.map(
      (domain): Change => ({ kind: 'domain.set', domain, spa: false, onConcurrent: 'latest', previews: false }),
    )
    const second = createOperation(owner, this.id, {
      stamp: { wallMs: START_MS - 50_000, counter: 0 },
      heads: [creation.id],
      changes: [...operators, ...joins, ...domains],
    })
    this.#founding = [creation, second]
    for (const name of people) {
      const laptop = new Laptop(this.machine(`${name}-laptop`, undefined, this.signer(name)), this.id, (id) =>
        this.#acknowledge(id, this.signer(name).key),
      )
      this.laptops.push(laptop)
    }
    for (const laptop of this.laptops) await this.scheduler.finish(laptop.open(this.foundingBytes))
    for (const member of this.members) this.start(member)
    await this.scheduler.runUntil(60_000, () => this.members.every((member) => member.process !== undefined))
  }

  get foundingBytes(): Uint8Array[] {
    return this.#founding.map(({ bytes }) => bytes)
  }

  get creation(): Operation {
    return this.#founding[0] as Operation
  }

  get admission(): Operation {
    return this.#founding[1] as Operation
  }

  laptop(name: string): Laptop {
    return this.laptops.find(({ machine }) => machine.name === `${name}-laptop`) as Laptop
  }

  /** Nodes that belong to the cluster, running or not. */
  get present(): Member[] {
    return this.members.filter(({ removed, joining }) => !removed && !joining)
  }

  get running(): NodeProcess[] {
    return this.present.flatMap(({ process, machine }) => (process !== undefined && machine.isUp ? [process] : []))
  }

  /** A new machine, not known to anybody yet. */
  addMachine(name: string): Member {
    return this.#addMember(this.machine(name))
  }

  /** Starts a node's process; when it ends or cannot start, it is started again, as a supervisor does. */
  start(member: Member, seed: readonly Uint8Array[] = this.foundingBytes): void {
    member.wanted = true
    member.starts++
    member.process = undefined
    const { machine } = member
    const name = machine.name
    const starting = startNodeProcess({
      machine,
      cluster: this.id,
      seed,
      bootstrap: this.addressesFor(machine),
      isSilent: this.isSilent,
      blobSource: { peers: () => this.#blobPeers(member) },
      hear: (level, event, data) => this.#hear(name, level, event, data),
      onStored: (ids, origin) => this.onStored?.(member, ids, origin),
      onServe: (domain, release, blobs) => this.onServe?.(member, domain, release, blobs),
    })
    const life = machine.life
    starting.then(
      (process) => {
        if (life?.alive !== true) return
        member.process = process
        this.scheduler.note('started', name)
        process.gossip.events.on('cloned', ({ key }) => this.cloned.add(key))
      },
      (thrown: unknown) => {
        const error = asMakiError(thrown)
        this.scheduler.note('start-failed', name, error.code)
        this.complaints.set(`start:${error.code}`, (this.complaints.get(`start:${error.code}`) ?? 0) + 1)
        if (error.code === 'MAKI_INTERNAL') this.violate('no crash', `${name} cannot start: ${error.stack}`)
        this.restart(member)
      },
    )
  }

  /** kill -9, or the loss of power; comes back after a while. */
  crash(member: Member, how: 'kill' | 'power', downMs = RESTART_MS): void {
    this.scheduler.note('crash', member.machine.name, how)
    if (how === 'kill') member.machine.kill()
    else member.machine.losePower()
    member.process = undefined
    this.restart(member, downMs)
  }

  /** The laptop is off, and on again after a while. */
  crashLaptop(laptop: Laptop, how: 'kill' | 'power', downMs: number): void {
    this.scheduler.note('crash', laptop.machine.name, how)
    laptop.crash(how)
    this.scheduler.after(downMs, () => {
      laptop.open(this.foundingBytes).catch((error: unknown) => {
        this.violate('no crash', `${laptop.machine.name} cannot start: ${asMakiError(error).stack}`)
      })
    })
  }

  restart(member: Member, downMs = RESTART_MS): void {
    member.machine.kill()
    member.process = undefined
    this.scheduler.after(downMs, () => {
      if (member.wanted && !member.removed && !member.machine.isUp) this.start(member)
    })
  }

  /** Tells all nodes which addresses there are, as a deployed config does. */
  spreadAddresses(): void {
    for (const { process, machine } of this.present)
      if (machine.isUp) process?.gossip.setAddresses(this.addressesFor(machine))
  }

  /** A client's way to a node: each direction takes its time and may fail. */
  remote(from: Machine, to: Member): Remote {
    const { scheduler, network } = this
    const name = to.machine.name
    return {
      name,
      call: <T>(run: (node: NodeProcess) => Promise<T>) =>
        new Promise<T>((resolve, reject) => {
          const life = from.life
          const settle = (act: () => void) => life?.alive === true && act()
          const lose = () => scheduler.after(CALL_TIMEOUT_MS, () => settle(() => reject(unreachable(name))))
          const travels = (a: Machine, b: Machine, arrive: () => void) => {
            if (network.isCut(a.host, b.host) || network.isCut(b.host, a.host) || this.random.chance(this.callLoss))
              lose()
            else scheduler.after(network.delayMs(a.host, b.host), arrive)
          }
          travels(from, to.machine, () => {
            const node = to.process
            if (node === undefined || !node.life.alive || to.leaving || to.removed) {
              lose()
              return
            }
            const answer = (act: () => void) => travels(to.machine, from, () => settle(act))
            run(node).then(
              (result) => node.life.alive && answer(() => resolve(result)),
              (error: unknown) => node.life.alive && answer(() => reject(error)),
            )
            node.life.onEnd(() => lose())
          })
        }),
    }
  }

  joinChange(machine: Machine): Change {
    return joinOf(machine)
  }

  #addMember(machine: Machine): Member {
    const member: Member = {
      machine,
      process: undefined,
      leaving: false,
      removed: false,
      joining: false,
      wanted: false,
      starts: 0,
    }
    this.members.push(member)
    return member
  }

  addressesFor(machine: Machine): string[] {
    return this.present
      .filter((other) => other.wanted && other.machine !== machine)
      .map((other) => other.machine.address)
  }

  #blobPeers(member: Member) {
    const { machine } = member
    const peers = member.process?.gossip.peers() ?? []
    return peers.flatMap(({ key }) => {
      const other = this.members.find((one) => one.machine.key === key)
      if (other === undefined || other === member) return []
      const delayMs = this.network.delayMs(machine.host, other.machine.host)
      const isReachable = () => other.machine.isUp && !this.network.isCut(machine.host, other.machine.host)
      return [{ shelf: other.machine.shelf, delayMs, isReachable }]
    })
  }

  #acknowledge(id: OperationId, author: MemberKey): void {
    if (!this.acknowledged.has(id)) this.scheduler.note('acknowledged', id)
    this.acknowledged.set(id, { author, atMs: this.scheduler.nowMs })
  }

  #hear(name: string, level: string, event: string, data: Record<string, unknown>): void {
    this.scheduler.note('log', name, level, event, reasonOf(data))
    if (level === 'error' || level === 'warn') {
      const complaint = `${event}${reasonOf(data)}`
      this.complaints.set(complaint, (this.complaints.get(complaint) ?? 0) + 1)
    }
  }
}

function reasonOf({ reason, detail, code, error }: Record<string, unknown>): string {
  const text = [reason, detail, code, error instanceof Error ? error.message : undefined].filter(
    (part) => part !== undefined,
  )
  return text.length === 0 ? '' : ` ${text.join(' ')}`
}

function joinOf(machine: Pick<Machine, 'name' | 'key'>): Change {
  return {
    kind: 'node.join',
    key: machine.key,
    name: machine.name as NodeName,
    addresses: { ipv4: '192.0.2.1', ipv6: null },
    place: null,
    nameserver: true,
    drained: false,
  }
}

const unreachable = (name: string) => new MakiError('MAKI_UNREACHABLE', `${name} did not answer`)
