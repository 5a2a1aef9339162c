import { rm } from 'node:fs/promises'
import { type BlobHash, Manifest, namedBlobs, type Operation } from '../../core/index.ts'
import { BlobStore, encodePack, type PackItem } from '../../replication/local/index.ts'
import type { ControlClient } from './control-client.ts'
import { exists } from './data-folder.ts'

/** Blobs of releases that were made while no node could be reached; they follow the operations out of the outbox. */
export class OutboxBlobs implements AsyncDisposable {
  readonly #directory: string
  #store: Promise<BlobStore> | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Those of `hashes` that are not kept here. */
  async missing(hashes: readonly BlobHash[]): Promise<BlobHash[]> {
    const store = await this.#find()
    return store === undefined ? [...hashes] : store.missing(hashes)
  }

  /** Resolves with the number of blobs when all are durable here. */
  async putPack(pack: AsyncIterable<Uint8Array>): Promise<number> {
    return (await this.#open()).putPack(pack)
  }

  /** All bytes of a small blob that waits here; undefined for one that does not. */
  async find(hash: BlobHash): Promise<Uint8Array | undefined> {
    const store = await this.#find()
    return store === undefined || (await store.size(hash)) === undefined ? undefined : store.read(hash)
  }

  /** Sends what the node lacks of an operation's releases, as far as it is kept here; the node says what is missing still. */
  async bring(operation: Operation, control: ControlClient, signal?: AbortSignal): Promise<void> {
    const store = await this.#find()
    if (store === undefined) return
    const hashes = new Set<BlobHash>()
    for (const change of operation.changes) {
      if (change.kind !== 'release.publish' || (await store.size(change.manifest)) === undefined) continue
      for (const hash of namedBlobs(change)) hashes.add(hash)
      for (const file of Manifest.decode(await store.read(change.manifest)).files()) hashes.add(file.hash)
    }
    if (hashes.size === 0) return
    const missing = await control.missingBlobs([...hashes], signal)
    const here = await store.sizes(missing)
    const kept = missing.flatMap((hash, i) => (here[i] === undefined ? [] : [{ hash, sizeBytes: here[i] }]))
    if (kept.length > 0) await control.putBlobPack(encodePack(readBlobs(store, kept)), signal)
  }

  /** Forgets all blobs: to be called when no release waits any more. */
  async clear(): Promise<void> {
    if (this.#store === undefined && !(await exists(this.#directory))) return
    await this[Symbol.asyncDispose]()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const store = this.#store
    this.#store = undefined
    await (await store)?.[Symbol.asyncDispose]()
  }

  async #find(): Promise<BlobStore | undefined> {
    return this.#store === undefined && !(await exists(this.#directory)) ? undefined : this.#open()
  }

  #open(): Promise<BlobStore> {
    this.#store ??= BlobStore.open(this.#directory)
    return this.#store
  }
}

async function* readBlobs(
  store: BlobStore,
  blobs: readonly { hash: BlobHash; sizeBytes: number }[],
): AsyncGenerator<PackItem> {
  for (const { hash, sizeBytes } of blobs) {
    yield { hash, sizeBytes, chunks: (await store.stream(hash)) as AsyncIterable<Buffer> }
  }
}
