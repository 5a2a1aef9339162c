import {
  type Change,
  changedScopes,
  createOperation,
  Fold,
  type Hostname,
  type NodeName,
  nextStamp,
  type OperationId,
  type OwnerName,
  type Scope,
  type Stamp,
  type State,
  type StateDelta,
} from '../../core/index.ts'
import { createTestCluster, testSigner } from '../support/histories.ts'

/** 2023-11-14T22:13:20Z, when the test cluster was made. */
export const CREATED_MS = 1_700_000_000_000

/** A cluster whose operator writes one operation after another; the state is the real fold's. */
export class ClusterState {
  readonly #cluster = createTestCluster(CREATED_MS)
  readonly #fold = new Fold()
  #stamp: Stamp = { wallMs: CREATED_MS, counter: 0 }
  #head: OperationId
  #all = new Set<Scope>()
  /** What each operation changed, from the creation on. */
  readonly deltas: StateDelta[] = []

  constructor() {
    const delta = this.#fold.add(this.#cluster.creation)
    this.deltas.push(delta)
    this.#all = changedScopes(delta)
    this.#head = this.#cluster.creation.id
  }

  get state(): State & { snapshot(): StateDelta } {
    return this.#fold.state
  }

  /** Every scope that was ever changed. */
  get scopes(): ReadonlySet<Scope> {
    return this.#all
  }

  /** The scopes that the operation changed. */
  commit(...changes: Change[]): Set<Scope> {
    return this.#add([this.#head], changes)
  }

  /** Operations that do not know of each other, the last one greatest. */
  commitConcurrently(...operations: Change[][]): void {
    const head = this.#head
    const heads = operations.map((changes) => {
      this.#add([head], changes)
      return this.#head
    })
    this.#add(heads, [domainSet('merge.invalid')])
  }

  #add(heads: readonly OperationId[], changes: Change[]): Set<Scope> {
    this.#stamp = nextStamp(0, [this.#stamp])
    const operation = createOperation(this.#cluster.operator, this.#cluster.id, { stamp: this.#stamp, heads, changes })
    const delta = this.#fold.add(operation)
    this.deltas.push(delta)
    const scopes = changedScopes(delta)
    for (const scope of scopes) this.#all.add(scope)
    this.#head = operation.id
    return scopes
  }
}

export const host = (name: string): Hostname => name as Hostname
export const owner = (name: string): OwnerName => name as OwnerName

export const domainSet = (domain: string, extra: { redirect?: string } = {}): Change => ({
  kind: 'domain.set',
  domain: host(domain),
  spa: false,
  onConcurrent: 'latest',
  previews: true,
  ...extra,
})

export const aliasSet = (domain: string, alias: string): Change => ({
  kind: 'alias.set',
  domain: host(domain),
  host: host(alias),
})

export const recordSet = (domain: string, name: string, type: string, values: string[], ttl = 600): Change => ({
  kind: 'record.set',
  domain: host(domain),
  name: owner(name),
  type,
  ttl,
  values,
})

interface NodeOptions {
  readonly ipv4?: string | null
  readonly ipv6?: string | null
  readonly nameserver?: boolean
  readonly drained?: boolean
}

export const nodeKey = (number: number) => testSigner(100 + number).key

export const nodeJoin = (number: number, name: string, options: NodeOptions = {}): Change => ({
  kind: 'node.join',
  key: nodeKey(number),
  name: name as NodeName,
  addresses: {
    ipv4: options.ipv4 === undefined ? `192.0.2.${number}` : options.ipv4,
    ipv6: options.ipv6 === undefined ? `2001:db8::${number.toString(16)}` : options.ipv6,
  },
  place: null,
  nameserver: options.nameserver ?? true,
  drained: options.drained ?? false,
})

export const drain = (number: number, drained = true): Change => ({
  kind: 'node.update',
  key: nodeKey(number),
  set: { drained },
})
