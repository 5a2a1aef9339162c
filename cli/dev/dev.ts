import { once } from 'node:events'
import { relative } from 'node:path'
import { asMakiError, type Log } from '../../core/index.ts'
import { exists } from '../client/data-folder.ts'
import { formatWarnings, loadProject, type Profile, type ProjectConfig } from '../config/index.ts'
import type { Host } from '../program/host.ts'
import type { Published } from '../project/index.ts'
import { checkPorts } from './check-ports.ts'
import { type DevFolder, devFolderAt, makeDevFolder, putAside, putRemainsAside } from './data-folder.ts'
import { lockDataFolder } from './data-lock.ts'
import type { DevEvent, RunningNode } from './events.ts'
import { type ClusterShape, LOOPBACK, type NodeLayout, planNodes } from './layout.ts'
import { prepareCluster } from './local-cluster.ts'
import { NodeProcess } from './node-process.ts'
import { Republisher } from './republish.ts'
import { controlSocketPath } from './socket-path.ts'
import { ToldLines } from './told-lines.ts'
import { type FileWatcher, watchFiles } from './watch-files.ts'

/** Brings the cluster of the profile to what the project says; resolves when the nodes that are up serve it. */
export type Publish = (
  project: ProjectConfig,
  profile: Profile,
  tell: { readonly warn: (message: string) => void; readonly note: (message: string) => void },
) => Promise<readonly Published[]>

export interface DevOptions {
  /** Absolute. */
  readonly projectFile: string
  /** Absolute path of the folder that keeps the cluster. */
  readonly dataPath: string
  readonly shape: ClusterShape
  /** Starts over; the folder that was there is kept under another name. */
  readonly fresh: boolean
  readonly host: Host
  readonly log: Log
  readonly publish: Publish
  readonly tell: (event: DevEvent) => void
}

/**
 * Runs a local cluster until the host's signal is aborted: nodes as processes, the project published at the start and
 * after every change of its files. Rejects where the cluster does not come up; from then on faults are told and survived.
 */
export async function runDev(options: DevOptions): Promise<void> {
  const { host, tell } = options
  const folder = devFolderAt(options.dataPath)
  const layouts = planNodes(options.shape, folder.path)
  const project = await readProject(options)
  await using owned = new AsyncDisposableStack()
  owned.use(await openFolder(options, folder))
  await checkPorts(layouts)
  const { profile, isNew, joined } = await prepareCluster({
    ...options.host,
    log: options.log,
    folder,
    nodes: layouts,
  })
  if (isNew)
    tell({
      event: 'note',
      message: `A new cluster was made in ${folder.path}. Its recovery key, ${folder.recoveryKey}, outranks every operator: move it to a safe place if you come to care for this cluster.`,
    })
  else if (joined.length > 0) tell({ event: 'note', message: `New in the cluster: ${joined.join(', ')}` })
  host.signal.throwIfAborted()
  const nodes = owned.use(await startNodes(layouts, host))

  const published = new PublishedProject({ ...options, profile, folder })
  owned.use(published)
  const told = new ToldLines(host.runtime)
  for (const { events } of nodes.all) {
    events.on('logged', ({ node, line }) => {
      const chosen = told.take(line)
      if (chosen !== undefined) tell({ event: 'logged', node, ...chosen })
    })
    events.on('died', (died) => tell({ event: 'node-died', ...died }))
    events.on('recovered', (recovered) => {
      tell({ event: 'node-recovered', ...recovered })
      published.retry()
    })
  }
  await published.start(project)
  const running = layouts.map((layout) => describeNode(layout, host))
  tell({
    event: 'ready',
    profile: profile.file,
    nodes: running,
    domains: project.domains.map(({ name }) => name),
    ...(options.shape.tls === true ? { ca: folder.authority } : {}),
  })
  if (!host.signal.aborted) await once(host.signal, 'abort')
  await owned.disposeAsync()
  tell({ event: 'stopped' })
}

function readProject({ projectFile, host }: DevOptions): Promise<ProjectConfig> {
  const inside = relative(host.cwd, projectFile)
  return loadProject(projectFile, { shownAs: inside.startsWith('..') ? projectFile : inside })
}

/** Makes or renews the data folder and keeps others out of it. */
async function openFolder({ fresh, host, tell }: DevOptions, folder: DevFolder): Promise<AsyncDisposable> {
  if (fresh && (await exists(folder.path))) {
    await makeDevFolder(folder)
    // Held while it moves: a cluster that runs in it is not pulled away from under its nodes.
    await using _lock = await lockDataFolder(folder.path)
    const kept = await putAside(folder, host.runtime)
    if (kept !== undefined) tell({ event: 'note', message: `Starting over. The cluster before is kept in ${kept}.` })
  }
  await makeDevFolder(folder)
  await using starting = new AsyncDisposableStack()
  starting.use(await lockDataFolder(folder.path))
  const remains = await putRemainsAside(folder, host.runtime)
  if (remains !== undefined)
    tell({ event: 'note', message: `A start was broken off here before; what it left is in ${remains}.` })
  return starting.move()
}

interface RunningNodes extends AsyncDisposable {
  readonly all: readonly NodeProcess[]
}

/** All at once; when one does not start the others are ended again. */
async function startNodes(layouts: readonly NodeLayout[], { runtime, signal }: Host): Promise<RunningNodes> {
  const starts = await Promise.allSettled(layouts.map((layout) => NodeProcess.start({ layout, runtime, signal })))
  const all = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const end = async (): Promise<void> => {
    await Promise.all(all.map((node) => node[Symbol.asyncDispose]()))
  }
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed === undefined) return { all, [Symbol.asyncDispose]: end }
  await end()
  throw failed.reason
}

function describeNode(layout: NodeLayout, { env }: Host): RunningNode {
  return {
    name: layout.name,
    http: `http://${LOOPBACK}:${layout.httpPort}`,
    ...(layout.httpsPort === undefined ? {} : { https: `https://${LOOPBACK}:${layout.httpsPort}` }),
    dns: `${LOOPBACK}:${layout.dnsPort}`,
    control: controlSocketPath(layout, env),
  }
}

/** The project as it is published, now and after every change of its files. */
class PublishedProject implements AsyncDisposable {
  readonly #options: DevOptions & { readonly profile: Profile; readonly folder: DevFolder }
  readonly #republisher: Republisher
  #watcher: FileWatcher | undefined
  #failed = false

  constructor(options: DevOptions & { readonly profile: Profile; readonly folder: DevFolder }) {
    this.#options = options
    this.#republisher = new Republisher({ runtime: options.host.runtime, publish: () => this.#publish() })
  }

  /** Watches first, so that no change between the two is missed; then publishes. */
  async start(project: ProjectConfig): Promise<void> {
    const { folder, tell } = this.#options
    this.#watcher = await watchFiles({
      paths: watchedPaths(project),
      excluded: [folder.path],
      onChange: () => this.#republisher.touch(),
      onError: (error) => tell({ event: 'warned', message: `files cannot be watched: ${asMakiError(error).message}` }),
    })
    await this.#republisher.run()
  }

  /** A node came back: what could not be published before may be now. */
  retry(): void {
    if (this.#failed) this.#republisher.touch()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First the publication under way: it may still set what is watched.
    await this.#republisher[Symbol.asyncDispose]()
    await this.#watcher?.[Symbol.asyncDispose]()
  }

  async #publish(): Promise<void> {
    const { profile, publish, host, tell } = this.#options
    const warn = (message: string): void => tell({ event: 'warned', message })
    const note = (message: string): void => tell({ event: 'note', message })
    try {
      const project = await readProject(this.#options)
      for (const warning of formatWarnings(project)) warn(warning)
      await this.#watcher?.set(watchedPaths(project))
      const published = await publish(project, profile, { warn, note })
      if (this.#failed && published.length === 0) {
        tell({ event: 'note', message: 'The project is well again, and published as it is.' })
      }
      this.#failed = false
      tell({ event: 'synced', published })
    } catch (error) {
      if (host.signal.aborted) return
      this.#failed = true
      tell({ event: 'sync-failed', error: asMakiError(error).toJSON() })
    }
  }
}

function watchedPaths({ file, domains }: ProjectConfig): string[] {
  const components = domains.flatMap(({ components }) => [...components.functions, ...components.transforms])
  const paths = [...domains.map(({ folder }) => folder), ...components.map(({ envFile }) => envFile)]
  return [...new Set([file, ...paths.filter((path) => path !== undefined)])]
}
