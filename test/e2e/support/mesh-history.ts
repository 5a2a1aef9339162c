import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ControlClient } from '../../../cli/client/control-client.ts'
import { readKeyFile } from '../../../cli/client/identity.ts'
import { SERVER_PATHS } from '../../../cli/setup/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import {
  type Change,
  type ClusterId,
  createOperation,
  decodeOperation,
  nextStamp,
  type Operation,
  type OperationId,
  type Signer,
} from '../../../core/index.ts'
import type { ClusterStatus } from '../../../edge/index.ts'
import { eventually } from '../../support/eventually.ts'
import type { Operator } from './bare-hosts.ts'
import type { BootedHost } from './booted-hosts.ts'
import { listOperations } from './daemons.ts'
import { leaderOf } from './underlay.ts'

/**
 * Writes at each node by its own control socket, with the operator's key and past the operator's copy, which would carry from one
 * side of a cut to the other; keeps what was acknowledged and holds all nodes to it.
 */
export class MeshHistory {
  readonly #signer: Signer
  readonly #cluster: ClusterId
  readonly acknowledged: OperationId[] = []

  private constructor(signer: Signer, cluster: ClusterId) {
    this.#signer = signer
    this.#cluster = cluster
  }

  /** With the key and the cluster of an operator's profile. */
  static async of(operator: Operator): Promise<MeshHistory> {
    const cluster = /^cluster = "(.*)"$/m.exec(readFileSync(operator.profile, 'utf8'))?.[1] as ClusterId
    const keys = readdirSync(operator.home, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.name === 'operator.key',
    )
    if (cluster === undefined || keys.length !== 1) throw new Error(`${operator.home} has no cluster, or no key`)
    const [{ parentPath, name }] = keys as [(typeof keys)[number]]
    return new MeshHistory(await readKeyFile(join(parentPath, name)), cluster)
  }

  client(host: BootedHost): ControlClient {
    const socketPath = `/proc/${leaderOf(host)}/root${SERVER_PATHS.controlSocket}`
    return new ControlClient({ socketPath, name: host.name, runtime: systemRuntime })
  }

  async status(host: BootedHost): Promise<ClusterStatus> {
    using client = this.client(host)
    return await client.status()
  }

  /** Resolves when the node has acknowledged it. */
  async write(host: BootedHost, ...changes: readonly Change[]): Promise<OperationId> {
    using client = this.client(host)
    const all = await this.#read(client)
    const followed = new Set(all.flatMap(({ heads }) => heads))
    const heads = all.filter(({ id }) => !followed.has(id)).slice(0, 16)
    const { id, bytes } = createOperation(this.#signer, this.#cluster, {
      stamp: nextStamp(
        systemRuntime.now(),
        heads.map(({ stamp }) => stamp),
      ),
      heads: heads.map((operation) => operation.id),
      changes,
    })
    await client.accept([bytes])
    this.acknowledged.push(id)
    return id
  }

  /** Changes of a kind that the node has, each with the operation that it is in; in no order. */
  async changes<K extends Change['kind']>(
    host: BootedHost,
    kind: K,
  ): Promise<{ readonly operation: Operation; readonly change: Extract<Change, { kind: K }> }[]> {
    using client = this.client(host)
    return (await this.#read(client)).flatMap((operation) =>
      operation.changes.flatMap((change) =>
        change.kind === kind ? [{ operation, change: change as Extract<Change, { kind: K }> }] : [],
      ),
    )
  }

  /** All operations that the node has. */
  async ids(host: BootedHost): Promise<ReadonlySet<OperationId>> {
    using client = this.client(host)
    return new Set((await this.#read(client)).map(({ id }) => id))
  }

  /** Resolves when the nodes have equal digests and none waits for anything. */
  async agreement(hosts: readonly BootedHost[]): Promise<void> {
    await eventually(`equal digests of ${hosts.map(({ name }) => name).join()}`, async () => {
      const all = await Promise.all(hosts.map((host) => this.status(host)))
      const own = all.map(({ self, nodes }) => nodes.find(({ key }) => key === self)?.digest)
      if (new Set(own).size === 1 && own[0] != null && all.every(({ pending }) => pending.length === 0)) return true
      throw new Error(`digests ${own.join()}, pending ${all.map(({ pending }) => pending.length).join()}`)
    })
  }

  /** What was acknowledged and a node has not folded: it is not there, void, held or unknown. Empty where all is well. */
  async lost(host: BootedHost): Promise<OperationId[]> {
    using client = this.client(host)
    const ids = await this.ids(host)
    const status = await client.status()
    const unfolded = new Set([
      ...status.void.map(({ operation }) => operation),
      ...status.held,
      ...status.pending,
      ...status.unknown,
    ])
    return this.acknowledged.filter((id) => !ids.has(id) || unfolded.has(id))
  }

  async #read(client: ControlClient): Promise<Operation[]> {
    return (await listOperations(client)).map((bytes) =>
      decodeOperation(bytes, this.#cluster, { signatureChecked: true }),
    )
  }
}
