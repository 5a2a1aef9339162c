import { type BlobHash, hashBlob, MakiError, Manifest } from '../../../core/index.ts'
import type { ReleaseBlobs } from '../../../replication/index.ts'
import type { FetchOptions, WantedBlob } from '../../../replication/transfer/want-table.ts'
import type { ProcessLife } from './process-life.ts'

/** Blobs of a machine's disk; those that are not durable yet are gone with its power. */
export class Shelf {
  readonly #durable = new Map<BlobHash, Uint8Array>()

  has(hash: BlobHash): boolean {
    return this.#durable.has(hash)
  }

  get(hash: BlobHash): Uint8Array | undefined {
    return this.#durable.get(hash)
  }

  put(bytes: Uint8Array): BlobHash {
    const hash = hashBlob(bytes)
    this.#durable.set(hash, bytes)
    return hash
  }

  get count(): number {
    return this.#durable.size
  }
}

/** A release's files as they are published: a manifest and what it names. */
export interface Site {
  readonly manifest: BlobHash
  readonly tree: BlobHash
  readonly blobs: readonly Uint8Array[]
  readonly files: number
  readonly bytes: number
}

/** A site of some pages, each of which says which release it belongs to. */
export function buildSite(name: string, pages: number, shared: number): Site {
  const text = (i: number) => new TextEncoder().encode(i < shared ? `shared page ${i}` : `page ${i} of ${name}`)
  const contents = Array.from({ length: pages }, (_, i) => text(i))
  const manifest = Manifest.of(
    contents.map((bytes, i) => ({ path: `p${i}.html`, hash: hashBlob(bytes), sizeBytes: bytes.length })),
  )
  const encoded = manifest.encode()
  return {
    manifest: encoded.hash,
    tree: encoded.tree,
    blobs: [...contents, encoded.bytes],
    files: pages,
    bytes: manifest.totalBytes,
  }
}

export interface BlobSource {
  /** Peers to ask now, nearest first, with what they have; each may be out of reach when asked. */
  peers(): readonly { readonly shelf: Shelf; readonly delayMs: number; readonly isReachable: () => boolean }[]
}

const RETRY_MS = 2000
const ANSWER_MS = 3000

/** The blob store and the fetcher of a node, by the contracts that the activation has with the real ones. */
export class VirtualBlobs implements ReleaseBlobs {
  readonly shelf: Shelf
  readonly #life: ProcessLife
  readonly #source: BlobSource

  constructor(shelf: Shelf, life: ProcessLife, source: BlobSource) {
    this.shelf = shelf
    this.#life = life
    this.#source = source
  }

  async sizes(hashes: readonly BlobHash[]): Promise<readonly (number | undefined)[]> {
    await this.#pause(0.1)
    return hashes.map((hash) => this.shelf.get(hash)?.length)
  }

  async read(hash: BlobHash): Promise<Uint8Array> {
    await this.#pause(0.1)
    const bytes = this.shelf.get(hash)
    if (bytes === undefined) throw new MakiError('MAKI_BLOB_MISSING', `blob ${hash} is not here`)
    return bytes
  }

  /** What stands on a shelf is whole. */
  async examine(hash: BlobHash): Promise<boolean> {
    await this.#pause(0.1)
    return this.shelf.has(hash)
  }

  async put(_hash: BlobHash, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const chunks: Uint8Array[] = []
    for await (const chunk of bytes) chunks.push(chunk)
    await this.#pause(0.1)
    this.shelf.put(Buffer.concat(chunks))
  }

  /** Resolves when all are durable here; rejects when aborted. */
  async fetch(blobs: Iterable<WantedBlob>, options: FetchOptions = {}): Promise<void> {
    const wanted = new Set([...blobs].map(({ hash }) => hash))
    for (;;) {
      for (const hash of [...wanted]) {
        if (options.signal?.aborted === true) throw new MakiError('MAKI_TIMEOUT', 'the fetch was ended')
        if (this.shelf.has(hash) || (await this.#ask(hash))) wanted.delete(hash)
      }
      options.onLacking?.([...wanted])
      if (wanted.size === 0) return
      await this.#pause(RETRY_MS)
    }
  }

  async #ask(hash: BlobHash): Promise<boolean> {
    for (const peer of this.#source.peers()) {
      if (!peer.isReachable()) {
        await this.#pause(ANSWER_MS)
        continue
      }
      await this.#pause(2 * peer.delayMs)
      const bytes = peer.shelf.get(hash)
      if (bytes === undefined || !peer.isReachable()) continue
      // Written, hashed and synced: only then it is here.
      await this.#pause(5)
      this.shelf.put(bytes)
      return true
    }
    return false
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#life.after(delayMs * (0.5 + this.#life.runtime.random()), resolve))
  }
}
