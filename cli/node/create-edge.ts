import { availableParallelism } from 'node:os'
import type { BlobHash, Log, Runtime } from '../../core/index.ts'
import type { DaemonConfig } from '../config/index.ts'
import { buildDnsOptions } from './dns-options.ts'
import type { Edge, EdgeOptions } from './edge-messages.ts'
import { EdgePool } from './edge-pool.ts'
import type { AskControl } from './edge-questions.ts'
import { EdgeWorker } from './edge-worker.ts'
import { buildGuestOptions } from './guest-options.ts'
import { buildHttpOptions } from './http-options.ts'
import { buildImageOptions } from './image-options.ts'
import { LineWriter } from './line-writer.ts'
import type { NodeFolders } from './node-folders.ts'
import type { Parts } from './parts.ts'
import { buildTransformOptions } from './transform-options.ts'

export interface CreateEdgeOptions {
  readonly config: DaemonConfig
  readonly parts: Parts
  readonly runtime: Runtime
  readonly log: Log
  readonly folders: NodeFolders
  readonly onBlobFailed: (hash: BlobHash) => void
  readonly asked: AskControl
}

/** DNS and HTTP of a node as its configuration has them: workers that load already, or, of none, this process itself. */
export function createEdge(options: CreateEdgeOptions): Edge {
  const { config, parts, runtime, log, folders, onBlobFailed, asked } = options
  const { web, node } = config
  const workers = web.workers ?? availableParallelism()
  const edge: EdgeOptions = {
    node: node.name,
    blobsDirectory: folders.data,
    variantsDirectory: web.variants_cache_mb > 0 ? folders.variants : undefined,
    dns: parts.dns ? buildDnsOptions(config, workers, runtime) : undefined,
    http: parts.http ? buildHttpOptions(config, workers) : undefined,
    images: parts.http ? buildImageOptions(config, folders.images, workers) : undefined,
    guests: parts.http ? buildGuestOptions(config, workers) : undefined,
    transforms: parts.http ? buildTransformOptions(config, folders.transformed, workers) : undefined,
    reusePort: false,
  }
  if (workers === 0) {
    const lines = new LineWriter(process.stdout.fd, runtime)
    return new EdgeWorker(edge, { runtime, log, onBlobFailed, ask: asked, writeLine: (line) => lines.offer(line) })
  }
  const limits = { memoryBytes: web.worker_memory_mb * 1024 * 1024 }
  return new EdgePool({
    edge,
    workers,
    register: folders.workers,
    runtime,
    log,
    onBlobFailed,
    onAsked: asked,
    limits,
  }).prepare()
}
