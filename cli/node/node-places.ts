import type { Log, Runtime } from '../../core/index.ts'
import { type DatabaseInfo, GeoDatabase } from '../../dns/index.ts'
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

/**
 * Control's part in where clients are: it checks the files, keeps the mirrored one new, sees when the owner replaces
 * another, and tells the workers.
 */
export class NodePlaces implements AsyncDisposable {
  readonly #options: NodePlacesOptions
  readonly #owned = new AsyncDisposableStack()
  #database: DatabaseInfo | undefined

  private constructor(options: NodePlacesOptions) {
    this.#options = options
  }

  /**
   * Throws MAKI_CONFIG with all faults of `geo_override`. A database that cannot be used is logged, for the next one
   * serves; `database` is what the workers use.
   */
  static async start(options: NodePlacesOptions): Promise<NodePlaces> {
    const places = new NodePlaces(options)
    const { config, edge, runtime, log } = options
    const { geolite_path, geo_override, geo_mirror, geo_refresh_days } = config.dns
    if (geo_override !== undefined) await readPlaceRules(geo_override)
    await places.#look()
    const reload = (): void => {
      edge.reloadPlaces()
      void places.#look()
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

  /** The same, for people. */
  get status(): { readonly type: string; readonly built: string } | undefined {
    if (this.#database === undefined) return undefined
    const { type, builtAt } = this.#database
    return { type, built: new Date(builtAt).toISOString() }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync()
  }

  async #look(): Promise<void> {
    const { config, log } = this.#options
    for (const file of listDatabases(config)) {
      try {
        this.#database = (await GeoDatabase.open(file)).info
        return
      } catch (error) {
        // A mirrored one is not there before the first time.
        if (file === config.dns.geolite_path) log.error('geo.database-failed', { file, error })
        // The workers go on with what they have read of it, too.
        if (this.#database?.file === file) return
      }
    }
    log.error('geo.no-database', { hint: 'clients are spread over all nodes, wherever they are' })
  }
}
