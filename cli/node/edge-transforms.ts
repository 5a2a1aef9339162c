import type { BlobHash, BlobReader, Log, Runtime } from '../../core/index.ts'
import {
  type GuestRunner,
  type Learnt,
  mayBeEncoded,
  type Need,
  type NodeContext,
  type SiteRelease,
  TransformedBlobs,
  TransformService,
  type TransformServiceOptions,
} from '../../edge/index.ts'
import type { AskControl } from './edge-questions.ts'

/** Transforms of one worker: what runs them, and what reads their results beside the blobs. */
export class EdgeTransforms {
  readonly service: TransformService
  /** Blobs, and results by their hashes. */
  readonly blobs: BlobReader

  constructor(
    options: TransformServiceOptions,
    ports: {
      readonly blobs: BlobReader
      readonly runner: GuestRunner
      readonly context: () => NodeContext
      readonly ask: AskControl
      readonly onBlobFailed: (hash: BlobHash) => void
      readonly runtime: Runtime
      readonly log: Log
    },
  ) {
    const { ask, ...rest } = ports
    this.service = new TransformService(options, {
      ...rest,
      onReady: (path, { hash, sizeBytes, mimeType, headers }) => {
        // Control makes encodings of what is told of.
        if (mayBeEncoded({ path, sizeBytes, made: { mimeType, headers } }))
          void ask({ kind: 'transformed', hash, sizeBytes })
      },
    })
    this.blobs = new TransformedBlobs(ports.blobs, this.service)
  }

  /** A release is served from now on: its front page is transformed before somebody asks for it. */
  foresee(release: SiteRelease | undefined): void {
    const page = release?.manifest.find('index.html')
    const job = page === undefined ? undefined : release?.transforms?.find(page)
    if (job !== undefined) void this.service.transform(job)
  }

  async learn({ job }: Extract<Need, { kind: 'transform' }>): Promise<Learnt> {
    return { transform: await this.service.transform(job) }
  }
}
