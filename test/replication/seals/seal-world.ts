import {
  type Change,
  type ClusterId,
  createOperation,
  createSigner,
  Emitter,
  Fold,
  type Key,
  type MemberKey,
  type NodeName,
  nextStamp,
  type Operation,
  type OperationId,
  type SealEpochKey,
  type Side,
  type Signer,
  type StateDelta,
  silentLog,
} from '../../../core/index.ts'
import { SealKeeper, type SealPeers, type SealReplica } from '../../../replication/seals/index.ts'
import { ManualRuntime } from '../../sim/manual-runtime.ts'
import { createTestCluster, type TestCluster } from '../../support/histories.ts'

/** A replica in memory: the real fold, operations in a map, no store and no network. */
export class WorldReplica implements SealReplica {
  readonly cluster: ClusterId
  readonly events = new Emitter<{ change: { delta: StateDelta } }>()
  readonly operations = new Map<OperationId, Operation>()
  readonly #fold = new Fold()
  readonly #runtime: ManualRuntime

  constructor(cluster: TestCluster, runtime: ManualRuntime) {
    this.cluster = cluster.id
    this.#runtime = runtime
    this.take(cluster.creation)
  }

  get state() {
    return this.#fold.state
  }

  get members() {
    return this.#fold.members
  }

  readonly frontier = (key: Key): readonly Side[] => this.#fold.frontier(key)

  isAncestor(a: OperationId, b: OperationId): boolean {
    return this.#fold.isAncestor(a, b)
  }

  write(signer: Signer, changes: readonly Change[]): Operation {
    const heads = this.#fold.heads()
    const stamps = heads.map(({ stamp }) => stamp)
    const operation = createOperation(signer, this.cluster, {
      stamp: nextStamp(this.#runtime.now(), stamps),
      heads: heads.map(({ id }) => id).slice(-16),
      changes,
    })
    this.take(operation)
    return operation
  }

  async commit(signer: Signer, changes: readonly Change[]): Promise<Operation> {
    return this.write(signer, changes)
  }

  take(operation: Operation): void {
    if (this.operations.has(operation.id)) return
    this.operations.set(operation.id, operation)
    this.events.emit('change', { delta: this.#fold.add(operation) })
  }

  /** Brings what the other has and this one lacks, in the order in which it came there: heads first. */
  pull(other: WorldReplica): void {
    for (const operation of other.operations.values()) this.take(operation)
  }
}

/** A node of the world: its replica and its keeper, which goes on also when the cluster has removed it. */
export interface WorldNode {
  readonly signer: Signer
  readonly replica: WorldReplica
  readonly keeper: SealKeeper
  side: number
}

export const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number)

export const nodeJoin = (key: MemberKey, name: string): Change => ({
  kind: 'node.join',
  key,
  name: name as NodeName,
  addresses: { ipv4: null, ipv6: null },
  place: null,
  nameserver: false,
  drained: false,
  schema: 2,
})

/** Nodes with keepers in virtual time. Those of one side hear each other; what is said by word of mouth is always true. */
export class World implements AsyncDisposable {
  readonly cluster = createTestCluster(1_800_000_000_000)
  readonly runtime: ManualRuntime
  readonly nodes: WorldNode[] = []
  readonly #listeners = new Set<() => void>()

  constructor(seed: number) {
    this.runtime = new ManualRuntime(seed)
  }

  /** A node that knows what `sponsor` knows; undefined for the first one. */
  add(number: number, sponsor?: WorldNode): WorldNode {
    const signer = createSigner(seedOf(number))
    const replica = new WorldReplica(this.cluster, this.runtime)
    if (sponsor !== undefined) replica.pull(sponsor.replica)
    const at = sponsor ?? { side: 0, replica }
    at.replica.write(this.cluster.operator, [nodeJoin(signer.key, `node${number}`)])
    replica.pull(at.replica)
    const node: { side: number } = { side: at.side }
    const peersOf = (): readonly WorldNode[] => this.nodes.filter(({ side }) => side === node.side)
    const peers: SealPeers = {
      up: () => new Set([signer.key, ...peersOf().map((peer) => peer.signer.key)]),
      lacking: () =>
        new Map(peersOf().map((peer) => [peer.signer.key, new Set<SealEpochKey>(peer.keeper.lacks)] as const)),
      onChange: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
    }
    const options = { replica, signer, seed: seedOf(number), peers, runtime: this.runtime, log: silentLog }
    const added = Object.assign(node, { signer, replica, keeper: new SealKeeper(options) })
    this.nodes.push(added)
    return added
  }

  /** Lets time pass, and everybody hear what is said on its side; removed nodes listen too. */
  async pass(ms: number, stepMs = 200): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.runtime.advance(stepMs)
      await new Promise((resolve) => setImmediate(resolve))
      this.gossip()
    }
  }

  gossip(): void {
    for (const node of this.nodes)
      for (const peer of this.nodes) if (peer !== node && peer.side === node.side) node.replica.pull(peer.replica)
    for (const listener of this.#listeners) listener()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { keeper } of this.nodes) await keeper[Symbol.asyncDispose]()
  }
}
