import { systemRuntime } from '../../../cli/system.ts'
import {
  type BlobHash,
  type Change,
  type ClusterId,
  createOperation,
  decodeOperation,
  type Hostname,
  hashBlob,
  Manifest,
  nextStamp,
  type Operation,
  type OperationId,
  type OwnerName,
  type Signer,
} from '../../../core/index.ts'
import { encodePack } from '../../../replication/index.ts'
import type { Random } from '../../support/seeds.ts'
import type { Daemon } from './daemons.ts'

/** One release in so many operations. */
const RELEASE_EVERY = 5
const FILES = 3
const MAX_FILE_BYTES = 3000

/** A release whose operation was acknowledged: what has to be served of it, by path. */
export interface WrittenRelease {
  readonly id: OperationId
  readonly files: ReadonlyMap<string, Buffer>
  readonly blobs: readonly BlobHash[]
}

/**
 * A client of one node that writes as fast as it is answered: records, and now and then a release. It remembers what
 * was acknowledged. What it has no answer for it hands in again, as `maki` does.
 */
export class PowerCutWriter {
  readonly domain: Hostname
  /** Acknowledged by the node, in order. */
  readonly acknowledged: OperationId[] = []
  readonly releases: WrittenRelease[] = []
  /** The blobs that the node said last to have. */
  uploaded: readonly BlobHash[] = []
  /** Whether releases are among what it writes; records otherwise. */
  publishes = true
  /** Called after each acknowledgement. */
  onAcknowledged: () => void = () => {}
  readonly #daemon: Daemon
  readonly #cluster: ClusterId
  readonly #operator: Signer
  readonly #random: Random
  #last: Pick<Operation, 'id' | 'stamp'>
  #open: { readonly operation: Operation; readonly release: Omit<WrittenRelease, 'id'> | undefined } | undefined
  #written = 0

  constructor(
    daemon: Daemon,
    options: { cluster: ClusterId; operator: Signer; last: Operation; random: Random; domain: Hostname },
  ) {
    this.#daemon = daemon
    this.#cluster = options.cluster
    this.#operator = options.operator
    this.#last = options.last
    this.#random = options.random
    this.domain = options.domain
  }

  /** Writes until the node does not answer, or the signal. Throws what the node refuses. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#write()
      } catch (error) {
        const { code } = error as { code?: string }
        if (code === 'MAKI_UNREACHABLE' || code === 'MAKI_TIMEOUT') return
        throw error
      }
      this.onAcknowledged()
    }
  }

  /** Hands in what has had no answer, so that the newest release is known to be the one that is acknowledged last. */
  async settle(): Promise<void> {
    if (this.#open !== undefined) await this.#write()
  }

  async #write(): Promise<void> {
    if (this.#open === undefined) {
      const publishes = this.publishes && this.#written > 0 && this.#written % RELEASE_EVERY === 0
      const release = publishes ? await this.#upload() : undefined
      const change = release?.change ?? this.#nextChange()
      this.#open = { operation: this.#sign(change), release }
      this.#written += 1
    }
    const { operation, release } = this.#open
    await this.#daemon.client.accept([operation.bytes])
    this.#open = undefined
    this.#last = operation
    this.acknowledged.push(operation.id)
    if (release !== undefined) this.releases.push({ id: operation.id, ...release })
  }

  #sign(change: Change): Operation {
    const stamp = nextStamp(systemRuntime.now(), [this.#last.stamp])
    const draft = { stamp, heads: [this.#last.id], changes: [change] }
    return decodeOperation(createOperation(this.#operator, this.#cluster, draft).bytes, this.#cluster)
  }

  #nextChange(): Change {
    const { domain } = this
    if (this.#written === 0) return { kind: 'domain.set', domain, spa: false, onConcurrent: 'latest', previews: true }
    const name = `r${this.#written % 20}` as OwnerName
    return { kind: 'record.set', domain, name, type: 'TXT', ttl: 300, values: [`"${this.#written}"`] }
  }

  /** Blobs first, the operation last. */
  async #upload(): Promise<Omit<WrittenRelease, 'id'> & { readonly change: Change }> {
    const files = new Map<string, Buffer>()
    for (let i = 0; i < FILES; i++) {
      const filler = Buffer.from(this.#random.bytes(1 + this.#random.integer(MAX_FILE_BYTES))).toString('hex')
      files.set(`file-${i}.txt`, Buffer.from(`${this.domain} ${this.#written} ${i} ${filler}`))
    }
    const entries = Array.from(files, ([path, bytes]) => ({ path, hash: hashBlob(bytes), sizeBytes: bytes.length }))
    const manifest = Manifest.of(entries)
    const { bytes, hash, tree } = manifest.encode()
    const contents = [...files.values(), bytes]
    const items = contents.map((content) => ({ hash: hashBlob(content), sizeBytes: content.length, chunks: [content] }))
    await this.#daemon.client.putBlobPack(encodePack(items))
    this.uploaded = items.map((item) => item.hash)
    const change: Change = {
      kind: 'release.publish',
      domain: this.domain,
      manifest: hash,
      tree,
      files: entries.length,
      bytes: manifest.totalBytes,
      aliases: [],
    }
    return { change, files, blobs: items.map((item) => item.hash) }
  }
}
