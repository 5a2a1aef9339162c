import { dataFolderAt } from '../../../cli/client/data-folder.ts'
import { deliver } from '../../../cli/client/deliver.ts'
import { LocalReplica } from '../../../cli/client/local-replica.ts'
import {
  asMakiError,
  type Change,
  type ClusterId,
  MakiError,
  type Operation,
  type OperationId,
} from '../../../core/index.ts'
import { readOperation, repairHere } from '../../../replication/index.ts'
import type { Site } from './blobs.ts'
import type { Machine } from './machine.ts'
import type { NodeProcess } from './node-process.ts'

/** What a laptop asks of a node, over the network: may be lost on the way there, or on the way back. */
export interface Remote {
  readonly name: string
  /** Runs on the node when the request arrives; rejects with MAKI_UNREACHABLE when anything is lost. */
  call<T>(run: (node: NodeProcess) => Promise<T>): Promise<T>
}

const PAGE_OPERATIONS = 1000

/** What a command reports and ends with: another try, perhaps at another node, may succeed. */
const NODE_FAILURES: ReadonlySet<string> = new Set([
  'MAKI_UNREACHABLE',
  'MAKI_STORE_FAILED',
  'MAKI_STORE_DAMAGED',
  'MAKI_DISK_FULL',
])

/** A laptop or CI runner with a full replica and a key: works offline, and exchanges with any node that it reaches. */
export class Laptop {
  readonly machine: Machine
  readonly #cluster: ClusterId
  readonly #acknowledged: (id: OperationId) => void
  readonly #sites = new Map<string, Site>()
  local: LocalReplica | undefined
  /** Made here; what another holder of the key made is not this laptop's. */
  readonly #made = new Set<OperationId>()
  /** The process that is exchanging: one that ended is not. */
  #exchanging: object | undefined

  constructor(machine: Machine, cluster: ClusterId, acknowledged: (id: OperationId) => void) {
    this.machine = machine
    this.#cluster = cluster
    this.#acknowledged = acknowledged
  }

  async open(seed: readonly Uint8Array[]): Promise<void> {
    const life = this.machine.startProcess()
    this.local = await LocalReplica.open({
      repair: repairHere,
      cluster: this.#cluster,
      folder: dataFolderAt(`${life.root}/profile`),
      runtime: life.runtime,
      log: life.log((level, event) => this.machine.scheduler.note('log', this.machine.name, level, event)),
    })
    if (this.local.replica.count === 0) await this.local.replica.merge(seed)
  }

  /** Ends its process, with what it was about to do. */
  crash(how: 'kill' | 'power'): void {
    this.local = undefined
    this.#exchanging = undefined
    if (how === 'kill') this.machine.kill()
    else this.machine.losePower()
  }

  get replica() {
    if (this.local === undefined) throw new Error('the laptop is not open')
    return this.local.replica
  }

  get isReady(): boolean {
    return this.local !== undefined && this.machine.isUp
  }

  /** Keeps the files of a release until a node has them. */
  keep(site: Site): void {
    this.#sites.set(site.manifest, site)
  }

  /** Makes an operation, durable here. Throws what the replica refuses. */
  async commit(changes: readonly Change[]): Promise<Operation> {
    const operation = await this.replica.commit(this.machine.signer, changes)
    this.#made.add(operation.id)
    return operation
  }

  /** Pulls, then hands over what waits. False when the node went away on the way, or an exchange is under way already. */
  async exchange(remote: Remote): Promise<boolean> {
    if (this.#exchanging !== undefined || !this.isReady) return false
    const exchange = {}
    this.#exchanging = exchange
    try {
      await this.#pull(remote)
      await this.#push(remote)
      return true
    } catch (thrown) {
      if (!NODE_FAILURES.has(asMakiError(thrown).code)) throw thrown
      return false
    } finally {
      if (this.#exchanging === exchange) this.#exchanging = undefined
    }
  }

  async #pull(remote: Remote): Promise<void> {
    const local = this.local as LocalReplica
    for (;;) {
      const cursor = local.exchange.cursors[remote.name]
      const page = await remote.call((node) => node.shared.replica.page(cursor, PAGE_OPERATIONS))
      await local.replica.merge(page.operations)
      await local.saveExchange({ cursors: { ...local.exchange.cursors, [remote.name]: page.cursor } })
      if (!page.more) break
    }
    await local.markWhole()
  }

  async #push(remote: Remote): Promise<void> {
    const local = this.local as LocalReplica
    const outbox = await local.listOutbox(new Set([this.machine.key]))
    if (outbox.operations.length === 0) return
    const control = {
      accept: async (operations: readonly Uint8Array[]) => {
        const report = await remote.call((node) => accept(node, operations))
        for (const id of [...report.accepted, ...report.known]) if (this.#made.has(id)) this.#acknowledged(id)
        return report
      },
    }
    const report = await deliver(outbox.operations, control, {
      bringBlobs: async (operation) => {
        for (const change of operation.changes) {
          const site = change.kind === 'release.publish' ? this.#sites.get(change.manifest) : undefined
          if (site === undefined) continue
          await remote.call(async (node) => {
            for (const bytes of site.blobs) node.blobs.shelf.put(bytes)
          })
        }
      },
      listAncestors: (operation, limit) => local.listAncestors(operation, limit),
    })
    if (report.refused.length === 0) await local.saveExchange({ delivered: outbox.cursor, received: [] })
  }
}

/** As the control API of a node does it: a release is taken only with everything that it serves. */
async function accept(node: NodeProcess, operations: readonly Uint8Array[]) {
  const { replica } = node.shared
  for (const bytes of operations) {
    const operation = readOperation(bytes, replica.cluster, { signatureChecked: true })
    if (replica.has(operation.id)) continue
    for (const change of operation.changes) {
      if (change.kind !== 'release.publish') continue
      const check = await node.checker.check({ ...change, id: operation.id })
      if (check.kind !== 'whole') throw new MakiError('MAKI_BLOB_MISSING', 'the release is not whole here')
    }
  }
  return await replica.submit(operations)
}
