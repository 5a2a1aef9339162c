import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../cli/client/control-client.ts'
import { findProfileKey } from '../../cli/client/profile-key.ts'
import { devFolderAt, makeDevFolder } from '../../cli/dev/data-folder.ts'
import { type NodeLayout, planNodes } from '../../cli/dev/layout.ts'
import { prepareCluster } from '../../cli/dev/local-cluster.ts'
import { NodeProcess } from '../../cli/dev/node-process.ts'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { systemRuntime } from '../../cli/system.ts'
import { type ClusterId, type Signer, silentLog } from '../../core/index.ts'

/** A node that runs as `makiatto run`, in a process of its own. */
export interface BenchNode {
  readonly layout: NodeLayout
  readonly control: ControlClient
  /** Of the control process; with edge workers there are more. */
  pid(): number
  /** Ends the process. */
  stop(): Promise<void>
  /** Starts it again; resolves when it listens. */
  start(): Promise<void>
}

/** A local cluster of real processes on free ports of the loopback. */
export interface BenchCluster extends AsyncDisposable {
  readonly folder: string
  readonly profile: string
  readonly cluster: ClusterId
  readonly signer: Signer
  readonly nodes: readonly BenchNode[]
}

/**
 * Resolves when every node hears every other. What it puts on disk is removed when it is disposed, or left to the caller whose
 * folder `parent` is.
 */
export async function startCluster(count: number, parent?: string): Promise<BenchCluster> {
  await using starting = new AsyncDisposableStack()
  const folder = await mkdtemp(join(parent ?? tmpdir(), 'makiatto-bench-'))
  if (parent === undefined) starting.defer(() => rm(folder, { recursive: true, force: true }))
  const dev = devFolderAt(join(folder, 'cluster'))
  await makeDevFolder(dev)
  const layouts = await Promise.all(
    planNodes({ nodes: count, httpPort: 8080, dnsPort: 5300 }, dev.path).map(onFreePorts),
  )
  const { signal } = new AbortController()
  const { profile } = await prepareCluster({
    folder: dev,
    nodes: layouts,
    env: process.env,
    runtime: systemRuntime,
    log: silentLog,
    signal,
  })
  const signer = await findProfileKey(profile)
  if (signer === undefined) throw new Error('the cluster was made without an operator')
  const nodes: BenchNode[] = []
  for (const layout of layouts) {
    const start = () => NodeProcess.start({ layout, runtime: systemRuntime, signal })
    let running = await start()
    starting.defer(() => running[Symbol.asyncDispose]())
    const socketPath = controlSocketPath(layout, process.env)
    const control = starting.use(new ControlClient({ socketPath, name: layout.name, runtime: systemRuntime }))
    nodes.push({
      layout,
      control,
      pid: () => running.pid as number,
      stop: () => running[Symbol.asyncDispose](),
      async start() {
        running = await start()
      },
    })
  }
  await untilAllUp(nodes)
  const owned = starting.move()
  const { cluster, file } = profile
  return { folder, profile: file, cluster, signer, nodes, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function untilAllUp(nodes: readonly BenchNode[]): Promise<void> {
  for (const { control } of nodes) {
    while ((await control.status()).nodes.some(({ up }) => !up)) await sleep(50)
  }
}

/** Resolves after a while; the loop stays alive meanwhile. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function onFreePorts(layout: NodeLayout): Promise<NodeLayout> {
  const [httpPort, dnsPort, gossipPort, blobsPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  return { ...layout, httpPort, dnsPort, gossipPort, blobsPort }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  // Held a little, so that those asked for at once differ.
  await sleep(5)
  server.close()
  await once(server, 'close')
  return address.port
}
