import type { SyncTarget } from '../../../cli/project/index.ts'
import {
  type BlobHash,
  type Change,
  compileEffects,
  createOperation,
  Fold,
  findRelease,
  type Hostname,
  type Key,
  keys,
  MakiError,
  Manifest,
  nextStamp,
  type Operation,
  type OperationId,
  type State,
} from '../../../core/index.ts'
import type { NodeStatus } from '../../../edge/index.ts'
import { PackParser } from '../../../replication/index.ts'
import { createTestCluster } from '../../support/histories.ts'

/** A cluster in memory: the real fold, blobs in a map, and a release refused whose blobs are not all there. */
export class FakeTarget implements SyncTarget {
  readonly operations: Operation[] = []
  readonly blobs = new Map<BlobHash, Uint8Array>()
  /** What `nodes` yields, one after another; it hangs after the last. */
  statuses: ((release: (domain: string) => OperationId) => readonly NodeStatus[])[] = []
  packs = 0
  readonly #cluster = createTestCluster()
  readonly #fold = new Fold()

  constructor() {
    this.#add(this.#cluster.creation)
  }

  get state(): State {
    return this.#fold.state
  }

  /** As somebody else does: after everything that is there. */
  commit(changes: readonly Change[], message = ''): OperationId {
    const heads = this.#fold.heads()
    const operation = createOperation(this.#cluster.operator, this.#cluster.id, {
      stamp: nextStamp(
        0,
        heads.map(({ stamp }) => stamp),
      ),
      heads: heads.map(({ id }) => id),
      changes,
      message,
    })
    this.#add(operation)
    return operation.id
  }

  findLast(key: Key, project: string): unknown {
    for (const operation of this.operations.toReversed()) {
      const { keys: effects } = compileEffects(operation)
      const effect = effects.get(key)
      if (effect?.via === project) return effect.value
      const removesDomain = operation.changes.some(
        (change) =>
          change.kind === 'domain.remove' &&
          change.via === project &&
          (key === keys.domain(change.domain) || key.startsWith(`${keys.domain(change.domain)}/`)),
      )
      if (removesDomain) return undefined
    }
    return undefined
  }

  async lastWritten(key: Key, project: string): Promise<unknown> {
    return this.findLast(key, project)
  }

  async missing(hashes: readonly BlobHash[]): Promise<BlobHash[]> {
    return hashes.filter((hash) => !this.blobs.has(hash))
  }

  async putPack(pack: AsyncIterable<Uint8Array>): Promise<number> {
    const parser = new PackParser({ maxBlobBytes: 1e9 })
    const got = new Map<BlobHash, Uint8Array>()
    let large: Uint8Array[] = []
    for await (const chunk of pack) {
      for (const part of parser.push(chunk)) {
        if (part.kind === 'blob') got.set(part.hash, part.bytes.slice())
        else if (part.kind === 'begin') large = []
        else if (part.kind === 'data') large.push(part.bytes.slice())
        else got.set(part.hash, Buffer.concat(large))
      }
    }
    parser.finish()
    for (const [hash, bytes] of got) this.blobs.set(hash, bytes)
    this.packs += 1
    return got.size
  }

  async submit(changes: readonly Change[], message: string): Promise<OperationId> {
    for (const change of changes) {
      if (change.kind !== 'release.publish') continue
      const manifest = this.blobs.get(change.manifest)
      const files = manifest === undefined ? [] : [...Manifest.decode(manifest).files()]
      if (manifest === undefined || files.some(({ hash }) => !this.blobs.has(hash)))
        throw new MakiError('MAKI_BLOB_MISSING', 'the release is not whole')
    }
    return this.commit(changes, message)
  }

  async *nodes(signal: AbortSignal): AsyncGenerator<readonly NodeStatus[]> {
    const release = (domain: string) => {
      const entry = [...this.operations]
        .reverse()
        .find(({ changes }) => changes.some((change) => change.kind === 'release.publish' && change.domain === domain))
      if (entry === undefined) throw new Error(`${domain} has no release`)
      return entry.id
    }
    for (const status of this.statuses) yield status(release)
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  /** The files of a domain's release as text, by path. */
  readSite(domain: string): Record<string, string> {
    const release = findRelease(this.state, domain as Hostname)
    const manifest = release && this.blobs.get(release.manifest)
    if (manifest === undefined) throw new Error(`${domain} has no release that is whole`)
    return Object.fromEntries(
      [...Manifest.decode(manifest).files()].map(({ path, hash }) => [
        path,
        Buffer.from(this.blobs.get(hash) as Uint8Array).toString(),
      ]),
    )
  }

  #add(operation: Operation): void {
    this.operations.push(operation)
    this.#fold.add(operation)
  }
}
