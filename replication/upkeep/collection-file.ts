import type { Log, OperationId } from '../../core/index.ts'
import { isId } from '../../core/index.ts'
import { findJson } from '../files/find-json.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { DomainReleases } from './collection-plan.ts'

/** What a collection has to know of earlier ones. */
export interface CollectionMemory {
  /** Since when each removed domain is known to be removed, milliseconds since the epoch. */
  readonly removed: ReadonlyMap<string, number>
  /** Purges that were carried out. */
  readonly purges: ReadonlySet<OperationId>
}

const VERSION = 1

/**
 * Keeps a collection's memory in one small file. Where it is lost, removed domains get their time again, and purges are
 * carried out once more.
 */
export class CollectionFile {
  readonly #path: string
  readonly #log: Log
  #memory: CollectionMemory | undefined

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  async load(): Promise<CollectionMemory> {
    this.#memory ??= parseMemory(await findJson(this.#path))
    return this.#memory
  }

  /** A failure is logged, not thrown: all that it costs is that the work is done again. */
  async save(domains: readonly DomainReleases[], done: readonly OperationId[]): Promise<void> {
    const before = await this.load()
    const removed = new Map(
      domains.flatMap(({ domain, releases, removedMs }) =>
        removedMs === undefined || releases.length === 0 ? [] : [[domain, removedMs] as const],
      ),
    )
    this.#memory = { removed, purges: new Set([...before.purges, ...done]) }
    const text = toText(this.#memory)
    if (text === toText(before)) return
    try {
      await replaceFile(this.#path, text)
    } catch (error) {
      this.#log.error('blobs.collection_save_failed', { error })
    }
  }
}

function toText({ removed, purges }: CollectionMemory): string {
  return `${JSON.stringify({ version: VERSION, removed: Object.fromEntries(removed), purges: [...purges] })}\n`
}

function parseMemory(value: Record<string, unknown> | undefined): CollectionMemory {
  if (value?.version !== VERSION) return { removed: new Map(), purges: new Set() }
  const { removed, purges } = value
  const times = typeof removed === 'object' && removed !== null ? Object.entries(removed) : []
  const ids = Array.isArray(purges) ? purges : []
  return {
    removed: new Map(times.filter((entry): entry is [string, number] => Number.isFinite(entry[1]))),
    purges: new Set(ids.filter((id): id is OperationId => typeof id === 'string' && isId(id))),
  }
}
