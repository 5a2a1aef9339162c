import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobHash } from '../../../core/index.ts'
import {
  buildMeta,
  type ComponentReport,
  encodeMeta,
  findMeta,
  GLUE_FILE,
  META_FILE,
  type PreparedComponent,
  type PreparedFiles,
  type PreparedMeta,
  readPreparedFiles,
} from '../../../edge/index.ts'
import { syncDirectory } from '../../../replication/index.ts'

export interface ComponentStoreOptions {
  /** `<data>/components`. */
  readonly directory: string
  /** See `readBuildKey`: what lies there under another one is deleted. */
  readonly buildKey: string
}

interface Entry {
  readonly sizeBytes: number
}

const INCOMING = 'incoming'
/** Beside the components: what may stay when the folder is swept. */
export const FAULTS_FILE = 'faults.json'

/**
 * Components that were made ready, each in a folder of its own: `<hash>-<build key>/` with the glue, its modules, and a list of
 * them with their hashes. A folder has its name only when it is whole and durable. Everything is read back before it is given out, so
 * that a disk which lost or altered something costs another build, and never runs other code. One process writes; edge workers read.
 */
export class ComponentStore {
  readonly #options: ComponentStoreOptions
  /** Least recently used first. */
  readonly #entries = new Map<BlobHash, Entry>()
  #temporaries = 0
  #totalBytes = 0

  private constructor(options: ComponentStoreOptions) {
    this.#options = options
  }

  /** Sweeps what an earlier process left half done, and what another version made. */
  static async open(options: ComponentStoreOptions): Promise<ComponentStore> {
    const { directory } = options
    if ((await mkdir(directory, { recursive: true, mode: 0o750 })) !== undefined)
      await syncDirectory(dirname(directory))
    const store = new ComponentStore(options)
    const incoming = join(directory, INCOMING)
    await rm(incoming, { recursive: true, force: true })
    await mkdir(incoming, { mode: 0o750 })
    for (const name of await readdir(directory))
      if (name !== INCOMING && name !== FAULTS_FILE) await store.#takeIn(name)
    return store
  }

  get count(): number {
    return this.#entries.size
  }

  get totalBytes(): number {
    return this.#totalBytes
  }

  has(component: BlobHash): boolean {
    return this.#entries.has(component)
  }

  /** Least recently used first. */
  components(): readonly BlobHash[] {
    return [...this.#entries.keys()]
  }

  /**
   * A component that lies there with every byte as it was written; what is damaged is deleted, and undefined. Rejects where
   * that cannot be known at the moment.
   */
  async find(component: BlobHash): Promise<PreparedComponent | undefined> {
    const entry = this.#entries.get(component)
    if (entry === undefined) return undefined
    const read = await readPreparedFiles(this.#path(component), component)
    if (read === undefined) {
      await this.forget(component)
      return undefined
    }
    this.#entries.delete(component)
    this.#entries.set(component, entry)
    return this.#describe(component, read.meta)
  }

  /** Resolves when it is durable. Rejects where the disk refuses; nothing of it is left then. */
  async keep(component: BlobHash, report: ComponentReport, files: PreparedFiles): Promise<PreparedComponent> {
    const { directory } = this.#options
    const meta = buildMeta(component, report, files)
    const temporary = join(directory, INCOMING, String(this.#temporaries++))
    try {
      await mkdir(temporary, { recursive: true, mode: 0o750 })
      await writeDurably(join(temporary, GLUE_FILE), files.glue)
      for (const [name, bytes] of files.modules) await writeDurably(join(temporary, name), bytes)
      await writeDurably(join(temporary, META_FILE), Buffer.from(encodeMeta(meta)))
      await syncDirectory(temporary)
      await this.forget(component)
      await rename(temporary, this.#path(component))
    } catch (error) {
      await rm(temporary, { recursive: true, force: true }).catch(() => {})
      throw error
    }
    this.#add(component, meta)
    await syncDirectory(directory)
    return this.#describe(component, meta)
  }

  /** It goes at once: whoever reads it at this moment finds that it is gone. */
  async forget(component: BlobHash): Promise<void> {
    const entry = this.#entries.get(component)
    if (this.#entries.delete(component)) this.#totalBytes -= entry?.sizeBytes ?? 0
    await this.#remove(`${component}-${this.#options.buildKey}`)
  }

  async #takeIn(name: string): Promise<void> {
    const { directory, buildKey } = this.#options
    const [component = '', key] = name.split('-')
    try {
      if (!/^[0-9a-f]{64}$/.test(component) || key !== buildKey) throw new Error('it is of another version')
      const meta = findMeta(await readFile(join(directory, name, META_FILE), 'utf8'), component as BlobHash)
      if (meta === undefined) throw new Error('it is damaged')
      this.#add(component as BlobHash, meta)
    } catch {
      await this.#remove(name)
    }
  }

  #add(component: BlobHash, { files }: PreparedMeta): void {
    const sizeBytes = Object.values(files).reduce((sum, [bytes]) => sum + bytes, 0)
    this.#entries.set(component, { sizeBytes })
    this.#totalBytes += sizeBytes
  }

  /** First out of the way, so that no half of it stands under its name. */
  async #remove(name: string): Promise<void> {
    const { directory } = this.#options
    const aside = join(directory, INCOMING, `${this.#temporaries++}-gone`)
    try {
      await rename(join(directory, name), aside)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await rm(aside, { recursive: true, force: true })
  }

  /** The one place where a hash becomes a path. */
  #path(component: BlobHash): string {
    return join(this.#options.directory, `${component}-${this.#options.buildKey}`)
  }

  #describe(component: BlobHash, { report, files }: PreparedMeta): PreparedComponent {
    const modules = Object.keys(files).filter((name) => name !== GLUE_FILE)
    return { component, world: report.world, folder: this.#path(component), modules }
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o640)
  await file.writeFile(bytes)
  await file.sync()
}
