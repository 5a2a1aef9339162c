import {
  type Change,
  type ClusterId,
  compareOperations,
  createOperation,
  decodeOperation,
  nextStamp,
  type Operation,
  type Signer,
} from '../../core/index.ts'
import type { BenchCluster, BenchNode } from './cluster.ts'

/** Signs one operation after another, each following the last, as a laptop that is alone does. */
export class Author {
  readonly #signer: Signer
  readonly #cluster: ClusterId
  #heads: readonly Pick<Operation, 'id' | 'stamp'>[]

  constructor(signer: Signer, cluster: ClusterId, heads: readonly Pick<Operation, 'id' | 'stamp'>[]) {
    this.#signer = signer
    this.#cluster = cluster
    this.#heads = heads
  }

  /** Follows what the node has. */
  static async at({ signer, cluster }: BenchCluster, node: BenchNode): Promise<Author> {
    const known = new Map<string, Operation>()
    for (let after: string | undefined; ; ) {
      const page = await node.control.operations(after)
      for (const bytes of page.operations) {
        const operation = decodeOperation(bytes, cluster, { signatureChecked: true })
        known.set(operation.id, operation)
      }
      after = page.cursor
      if (!page.more) break
    }
    const followed = new Set<string>([...known.values()].flatMap(({ heads }) => heads))
    const heads = [...known.values()].filter(({ id }) => !followed.has(id)).sort(compareOperations)
    return new Author(signer, cluster, heads)
  }

  make(changes: readonly Change[]): Operation {
    const stamps = this.#heads.map(({ stamp }) => stamp)
    const operation = createOperation(this.#signer, this.#cluster, {
      stamp: nextStamp(Date.now(), stamps),
      heads: this.#heads.map(({ id }) => id),
      changes,
    })
    this.#heads = [operation]
    return operation
  }
}
