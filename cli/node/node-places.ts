import { asMakiError, type Log, type Runtime } from '../../core/index.ts'
import { type DatabaseInfo, GeoDatabase } from '../../dns/index.ts'
import type { PlacesStatus } from '../../edge/index.ts'
import { type DaemonConfig, readPlaceRules } from '../config/index.ts'
import type { Edge } from './edge-messages.ts'
import { FilePoll } from './file-poll.ts'
import { listDatabases, mirroredDatabase } from './geo-databases.ts'
import { GeoMirror } from './geo-mirror.ts'

/** What the places of clients are kept with. */
export interface NodePlacesOptions {
  readonly config: DaemonConfig
  readonly edge: Pick<Edge, 'reloadPlaces'>
  readonly runtime: Runtime
  readonly log: Log
}

/** A file of rules may have thousands of faults. */
const MAX_FAULT_CHARACTERS = 1_000

/**
 * Control's part in where clients are: it checks the files, keeps the mirrored one new, sees when the owner replaces
 * another, and tells the workers.
 */
export class NodePlaces implements AsyncDisposable {
  readonly #options: NodePlacesOptions
  readonly #owned = new AsyncDisposableStack()
  #database: DatabaseInfo | undefined
  /** Of the last look. */
  #faults: readonly string[] = []
  /** Looks come one after the other, so that what the last one saw stays. */
  #looking = Promise.resolve()

  private constructor(options: NodePlacesOptions) {
    this.#options = options
  }

  /**
   * Throws MAKI_CONFIG with all faults of `geo_override`. A database that cannot be used is logged, for the next one
   * serves, and told of in `status`; `database` is what the workers use.
   */
  static async start(options: NodePlacesOptions): Promise<NodePlaces> {
    const places = new NodePlaces(options)
    const { config, edge, runtime, log } = options
    const { geolite_path, geo_override, geo_mirror, geo_refresh_days } = config.dns
    if (geo_override !== undefined) await readPlaceRules(geo_override)
    await places.#look()
    const reload = (): void => {
      edge.reloadPlaces()
      places.#looking = places.#looking.then(() => places.#look())
    }
    const files = [geolite_path, geo_override].filter((file) => file !== undefined)
    const file = mirroredDatabase(config.node.data_dir)
    try {
      if (files.length > 0) places.#owned.use(await FilePoll.start({ files, runtime, onChange: reload }))
      if (geo_mirror === undefined) return places
      const mirror = { url: geo_mirror, refreshDays: geo_refresh_days, file, runtime, log, onFetched: reload }
      places.#owned.use(await GeoMirror.start(mirror))
    } catch (error) {
      await places[Symbol.asyncDispose]()
      throw error
    }
    return places
  }

  /** The database in use; undefined where none could be read. */
  get database(): DatabaseInfo | undefined {
    return this.#database
  }

  /** The same for people, and what is wrong with the files. */
  get status(): PlacesStatus {
    const faults = this.#faults.length === 0 ? {} : { faults: this.#faults }
    if (this.#database === undefined) return faults
    const { type, builtAt } = this.#database
    return { type, built: new Date(builtAt).toISOString(), ...faults }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
    await this.#looking
  }

  async #look(): Promise<void> {
    const faults = [...(await this.#lookForDatabase()), ...(await this.#lookAtRules())]
    this.#faults = faults.map((fault) => fault.slice(0, MAX_FAULT_CHARACTERS))
  }

  /** Why the rules in use are those of before. The workers log it. */
  async #lookAtRules(): Promise<readonly string[]> {
    const { geo_override } = this.#options.config.dns
    if (geo_override === undefined) return []
    try {
      await readPlaceRules(geo_override)
      return []
    } catch (error) {
      return [asMakiError(error).message]
    }
  }

  async #lookForDatabase(): Promise<readonly string[]> {
    const { config, log } = this.#options
    const faults: string[] = []
    for (const file of listDatabases(config)) {
      try {
        this.#database = (await GeoDatabase.open(file)).info
        return faults
      } catch (error) {
        // A mirrored one is not there before the first time.
        if (file === config.dns.geolite_path) {
          log.error('geo.database-failed', { file, error })
          faults.push(asMakiError(error).message)
        }
        // The workers go on with what they have read of it, too.
        if (this.#database?.file === file) return faults
      }
    }
    const hint = 'clients are spread over all nodes, wherever they are'
    log.error('geo.no-database', { hint })
    return [...faults, `there is no database that says where addresses are: ${hint}`]
  }
}
