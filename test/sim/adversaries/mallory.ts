import {
  type Change,
  createOperation,
  type Hostname,
  nextStamp,
  type Operation,
  type OwnerName,
  type Signer,
} from '../../../core/index.ts'
import type { Random } from '../../support/seeds.ts'
import { type Cluster, DOMAINS } from '../world/cluster.ts'
import type { Machine } from '../world/machine.ts'
import type { ProcessLife } from '../world/process-life.ts'
import { drawCrooked } from './crooked-operations.ts'
import {
  deleteEntries,
  flood,
  leaveGap,
  replaceEntries,
  replayAwareness,
  replayFrames,
  sendGarbage,
  squatSlot,
} from './document-attacks.ts'
import { HostilePeer } from './hostile-peer.ts'

/** What a run lets the adversary do. */
export interface Powers {
  /** Meddles with the shared document and the frames, with the key of a node. */
  readonly document: boolean
  /** Says again what members said about themselves. */
  readonly awareness: boolean
  /** Signs with the stolen key of a node and of a deployer more than these may. */
  readonly overreach: boolean
  /** Signs with the stolen key of the second operator: back-dated, forked, from the future. */
  readonly operator: boolean
}

/** One who holds stolen keys and a place in the network. It knows the whole cluster, as a member does. */
export class Mallory {
  readonly done: Record<string, number> = {}
  /** Signed with the operator's stolen key. */
  readonly stolen: Operation[] = []
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #machine: Machine
  readonly #life: ProcessLife
  readonly #peers = new Map<string, HostilePeer>()
  readonly #acts: [name: string, act: (peer: HostilePeer) => void][] = []
  #running = false

  constructor(cluster: Cluster, random: Random, powers: Powers) {
    this.#cluster = cluster
    this.#random = random
    this.#machine = cluster.machine('mallory')
    this.#life = this.#machine.startProcess()
    const add = (wanted: boolean, acts: Record<string, (peer: HostilePeer) => void>) =>
      wanted && this.#acts.push(...Object.entries(acts))
    add(powers.document, {
      delete: (peer) => deleteEntries(peer, random),
      replace: (peer) => replaceEntries(peer, random),
      squat: (peer) => squatSlot(peer, random, this.#ownOperation()),
      gap: (peer) => leaveGap(peer, random, this.#ownOperation()),
      garbage: (peer) => sendGarbage(peer, random),
      replay: (peer) => replayFrames(peer, random),
      flood: (peer) => flood(peer, random),
    })
    add(powers.document || powers.awareness, { 'old-awareness': (peer) => replayAwareness(peer, random) })
    add(powers.overreach, {
      forge: (peer) => this.#forge(peer),
      crooked: (peer) => this.#crooked(peer),
      old: (peer) =>
        this.#offer(peer, random.shuffle([cluster.creation, cluster.admission, ...this.stolen]).slice(0, 5)),
      'node-overreach': (peer) => this.#overreach(peer, this.#machine.signer, 'it is signed by a node'),
      'deployer-overreach': (peer) => this.#overreach(peer, cluster.signer('deployer'), 'it is signed by a deployer'),
    })
    add(powers.operator, {
      'back-date': (peer) => this.#backDate(peer),
      fork: (peer) => this.#fork(peer),
      future: (peer) => this.#future(peer),
      write: (peer) => this.#offer(peer, [this.#steal(this.#recent(), [this.#record()])]),
    })
  }

  /** Does something about every `meanMs`, to a node that runs. */
  begin(meanMs: number): void {
    this.#running = this.#acts.length > 0
    const next = () =>
      this.#life.after(meanMs * (0.2 + 1.6 * this.#random.next()), () => {
        if (!this.#running) return
        this.#act()
        next()
      })
    next()
  }

  end(): void {
    this.#running = false
    for (const peer of this.#peers.values()) peer.close()
    this.#machine.kill()
  }

  #act(): void {
    const up = this.#cluster.present.filter(({ process, machine }) => process !== undefined && machine.isUp)
    if (up.length === 0) return
    const target = this.#random.pick(up)
    const peer = this.#peers.get(target.machine.name)
    if (peer === undefined || !peer.isOpen) {
      const { signer } = this.#machine
      this.#peers.set(target.machine.name, new HostilePeer(this.#cluster, this.#machine, this.#life, signer, target))
      return
    }
    if (!peer.isIn) return
    const [name, act] = this.#random.pick(this.#acts)
    this.#cluster.scheduler.note('mallory', name, target.machine.name)
    this.done[name] = (this.done[name] ?? 0) + 1
    act(peer)
  }

  /** What a node may say: that it is drained. Right in every way, but for the road that it takes. */
  #ownOperation(): Operation {
    const machine = this.#machine
    return this.#sign(machine.signer, this.#recent(), [
      { kind: 'node.update', key: machine.key, set: { drained: this.#random.chance(0.5) } },
    ])
  }

  #forge(peer: HostilePeer): void {
    const owner = this.#cluster.signer('owner')
    const forger: Signer = { key: owner.key, sign: () => this.#random.bytes(64) }
    const operation = this.#sign(forger, this.#recent(), [this.#record()])
    this.#cluster.forbidden.set(operation.id, 'its signature is forged')
    this.#offer(peer, [operation])
  }

  /** With the key of the second operator, who may sign such changes: only what is wrong with its form speaks against it. */
  #crooked(peer: HostilePeer): void {
    const [head] = this.#recent()
    if (head === undefined) return
    const draft = {
      signer: this.#cluster.signer('partner'),
      cluster: this.#cluster.id,
      head,
      changes: [this.#record()],
      nowMs: this.#life.runtime.now(),
    }
    const { id, bytes, why } = drawCrooked(draft, this.#random)
    this.#cluster.forbidden.set(id, why)
    peer.send({ type: 'operations', operations: [bytes] })
  }

  #overreach(peer: HostilePeer, signer: Signer, why: string): void {
    const accomplice = this.#cluster.signer('accomplice').key
    const change = this.#random.pick<Change>([
      { kind: 'operator.add', key: accomplice, name: 'accomplice', role: 'operator' },
      { kind: 'operator.remove', key: this.#cluster.signer('owner').key, how: 'revoke' },
      { kind: 'domain.remove', domain: DOMAINS[1] as Hostname },
      this.#record(),
    ])
    const operation = this.#sign(signer, this.#recent(), [change])
    this.#cluster.forbidden.set(operation.id, why)
    this.#offer(peer, [operation])
  }

  /** As if it had been signed long ago, right after the key was admitted: removes its senior. */
  #backDate(peer: HostilePeer): void {
    const { admission } = this.#cluster
    const owner = this.#cluster.signer('owner').key
    const removal: Change = {
      kind: 'operator.remove',
      key: owner,
      how: this.#random.pick(['revoke', 'retire'] as const),
    }
    const first = this.#steal([admission], [removal, this.#record()], admission.stamp.wallMs)
    this.#offer(peer, [first, this.#steal([first], [this.#record()], admission.stamp.wallMs)])
  }

  /** More heads than an operation can follow. */
  #fork(peer: HostilePeer): void {
    const { admission } = this.#cluster
    const forks = Array.from({ length: 20 }, () =>
      this.#steal([admission], [this.#record()], admission.stamp.wallMs + this.#random.integer(30_000)),
    )
    this.#offer(peer, forks)
  }

  #future(peer: HostilePeer): void {
    const operation = this.#steal(this.#recent(), [this.#record()], this.#life.runtime.now() + 365 * 86_400_000)
    this.#cluster.future.add(operation.id)
    this.#cluster.forbidden.set(operation.id, 'its stamp lies a year ahead')
    this.#offer(peer, [operation])
  }

  #record(): Change {
    const name = `x${this.#random.integer(1000)}` as OwnerName
    const values = [`198.51.100.${this.#random.integer(250)}`]
    return { kind: 'record.set', domain: this.#random.pick(DOMAINS), name, type: 'A', ttl: 60, values }
  }

  /** Some of what a node has as its heads now; never what lies in the future. */
  #recent(): { id: Operation['id']; stamp: Operation['stamp'] }[] {
    const { running } = this.#cluster
    if (running.length === 0) return [this.#cluster.admission]
    const process = this.#random.pick(running)
    const heads = process.shared.replica.heads().slice(-3)
    // One whose store has just lost its beginning has none.
    return heads.length === 0 ? [this.#cluster.admission] : heads
  }

  #steal(heads: readonly Pick<Operation, 'id' | 'stamp'>[], changes: readonly Change[], wallMs?: number): Operation {
    const operation = this.#sign(this.#cluster.signer('partner'), heads, changes, wallMs)
    this.stolen.push(operation)
    return operation
  }

  #sign(
    signer: Signer,
    heads: readonly Pick<Operation, 'id' | 'stamp'>[],
    changes: readonly Change[],
    wallMs = this.#life.runtime.now(),
  ): Operation {
    const stamps = heads.map(({ stamp }) => stamp)
    return createOperation(signer, this.#cluster.id, {
      stamp: nextStamp(wallMs, stamps),
      heads: heads.map(({ id }) => id),
      changes,
      message: `${this.#random.integer(2 ** 32)}`,
    })
  }

  #offer(peer: HostilePeer, operations: readonly Operation[]): void {
    peer.send({ type: 'operations', operations: operations.map(({ bytes }) => bytes) })
  }
}
