import { asMakiError, type Log, type NodeView } from '../../core/index.ts'
import { type DatabaseInfo, GeoDatabase } from './geo-database.ts'
import { GeoLocator, type PlaceRule } from './geo-locator.ts'
import type { Locator } from './locator.ts'

/** Where it is written where clients are. */
export interface PlaceFiles {
  /** MMDB files; the first that can be read is taken. */
  readonly databases: readonly string[]
  /** A file of rules that are believed before them. */
  readonly overrides: string | undefined
}

/** What the files are read with. */
export interface PlacesOptions {
  readonly files: PlaceFiles
  /** Throws for a file with faults. */
  readonly readRules: (file: string) => Promise<readonly PlaceRule[]>
  readonly log: Log
}

/** What the files said when they could last be read. */
export class Places {
  readonly #options: PlacesOptions
  #database: GeoDatabase | undefined
  #rules: readonly PlaceRule[] = []
  #loading: Promise<void> | undefined
  #again: Promise<void> | undefined

  constructor(options: PlacesOptions) {
    this.#options = options
  }

  /** The database in use. */
  get database(): DatabaseInfo | undefined {
    return this.#database?.info
  }

  /** Of what is in use now; `nodes` give rules their places. */
  locatorFor(nodes: readonly NodeView[]): Locator {
    const nodePlaces = new Map(nodes.flatMap(({ name, place }) => (place === null ? [] : [[name, place]])))
    return new GeoLocator({ database: this.#database, rules: this.#rules, nodePlaces })
  }

  /**
   * Reads the files. A file that cannot be used is logged, and what it said before stays. Never rejects. A call while
   * the files are read has them read once more after that.
   */
  load(): Promise<void> {
    if (this.#loading === undefined) {
      this.#loading = this.#read().finally(() => {
        this.#loading = undefined
      })
      return this.#loading
    }
    this.#again ??= this.#loading.then(() => {
      this.#again = undefined
      return this.load()
    })
    return this.#again
  }

  async #read(): Promise<void> {
    const { files, log } = this.#options
    for (const file of files.databases) {
      try {
        this.#database = await GeoDatabase.open(file)
        const { type, builtAt } = this.#database.info
        log.info('geo.database-read', { file, type, built: new Date(builtAt).toISOString() })
        break
      } catch (error) {
        const isMissing = (asMakiError(error).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
        // One that is fetched from a mirror is not there before the first time.
        log[isMissing ? 'debug' : 'error']('geo.database-failed', { file, error })
        if (this.#database?.info.file === file) break
      }
    }
    if (files.overrides === undefined) return
    try {
      this.#rules = await this.#options.readRules(files.overrides)
      log.info('geo.overrides-read', { file: files.overrides, rules: this.#rules.length })
    } catch (error) {
      log.error('geo.overrides-failed', { file: files.overrides, error })
    }
  }
}
