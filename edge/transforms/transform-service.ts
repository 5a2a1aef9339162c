import { createHash } from 'node:crypto'
import { type BlobHash, type BlobReader, hashBlob, type Log, MakiError, type Runtime } from '../../core/index.ts'
import type { GuestRunner, NodeContext } from '../guests/index.ts'
import { ImageClaims } from '../images/index.ts'
import { FairGate, type GateLimits } from './fair-gate.ts'
import { OutcomeTable } from './outcome-table.ts'
import { runSteps, type StepCount, type StepsOutcome } from './run-steps.ts'
import { newTransformCounters, type TransformCounters } from './transform-counters.ts'
import { type Kept, TransformFolder } from './transform-folder.ts'
import type { TransformedFile, TransformJob, TransformOutcome, TransformResults } from './transform-job.ts'
import { Troubles } from './troubles.ts'

export interface TransformServiceOptions {
  /** Where results are kept, for all workers of the node together: `<data>/transformed`. */
  readonly directory: string
  /** What they may take on the disk. */
  readonly cacheBytes: number
  /** Workers of the node, this one included. */
  readonly workers: number
  /** For tests; what is left out is as `USUAL` says. */
  readonly limits?: Partial<TransformLimits>
}

/** Bounds on what transforms may cost a worker. */
export interface TransformLimits extends GateLimits {
  /** The longest that a visitor waits before he gets the file as it is. */
  readonly mostWaitMs: number
  /** Files that are worked on or waited for. */
  readonly mostUnderWay: number
}

export interface TransformPorts {
  /** Blobs of the releases. */
  readonly blobs: BlobReader
  readonly runner: GuestRunner
  /** What guests are told of this node: results may depend on it. */
  readonly context: () => NodeContext
  readonly runtime: Runtime
  readonly log: Log
  readonly onBlobFailed?: (hash: BlobHash) => void
  /** Told of each result that lies ready here from now on; of one that lay ready before, too, once in a while. */
  readonly onReady?: (path: string, result: TransformedFile) => void
}

const USUAL: TransformLimits = {
  // Each holds a file and its result in memory.
  most: 4,
  mostOfName: 2,
  mostWaiting: 256,
  mostWaitingOfName: 128,
  mostWaitMs: 20_000,
  mostUnderWay: 512,
}

const TABLE_CHARS = 8 * 1024 * 1024

/** Puts files through their transforms and keeps what came of it; equal jobs are done once in a node. */
export class TransformService implements TransformResults {
  readonly counters: TransformCounters = newTransformCounters()
  readonly #limits: TransformLimits
  readonly #ports: TransformPorts
  readonly #folder: TransformFolder
  readonly #claims: ImageClaims
  readonly #gate: FairGate
  readonly #table = new OutcomeTable(TABLE_CHARS)
  readonly #troubles: Troubles
  readonly #underWay = new Map<string, Promise<TransformOutcome>>()
  #context: NodeContext | undefined
  #epoch = 0

  constructor(options: TransformServiceOptions, ports: TransformPorts) {
    const { directory, cacheBytes, workers, limits } = options
    this.#ports = ports
    this.#limits = { ...USUAL, ...limits }
    this.#folder = new TransformFolder({ directory, maxBytes: cacheBytes, writers: workers }, ports)
    this.#claims = new ImageClaims(`${directory}/claims`, ports.runtime)
    this.#gate = new FairGate(this.#limits)
    this.#troubles = new Troubles(ports.runtime)
  }

  /** Brings the folders in order; files can be asked for before it is done. */
  async start(): Promise<void> {
    await this.#folder.open()
    await this.#claims.sweep()
  }

  get epoch(): number {
    this.#followContext()
    return this.#epoch
  }

  find(job: TransformJob): TransformOutcome | undefined {
    this.#followContext()
    const known = this.#table.find(job.key)
    if (known === undefined) return this.#troubles.has(job) ? { kind: 'failed' } : undefined
    this.counters.fromMemory++
    this.#folder.note(this.#nameOf(job), known)
    return known
  }

  /** Never rejects; `failed` after a while, although the work goes on and may come to something for who asks later. */
  async transform(job: TransformJob): Promise<TransformOutcome> {
    const known = this.find(job)
    if (known !== undefined) return known
    const { promise, resolve } = Promise.withResolvers<TransformOutcome>()
    const cancel = this.#ports.runtime.after(this.#limits.mostWaitMs, () => {
      this.counters.waitedTooLong++
      resolve({ kind: 'failed' })
    })
    void this.#join(job).then(resolve)
    try {
      return await promise
    } finally {
      cancel()
    }
  }

  /** How many bytes the result has that `find` says; undefined for what is none. */
  sizeOf(hash: BlobHash): number | undefined {
    return this.#table.sizeOf(hash)
  }

  /** Where the bytes of a result lie; see `BlobReader.path`. */
  path(hash: BlobHash): string {
    return this.#folder.path(hash)
  }

  /** Its bytes turned out to be gone or wrong: nobody is answered with them any more. Made again once, and then left alone. */
  lost(hash: BlobHash): void {
    const keys = this.#table.forgetResult(hash)
    if (keys.length === 0) return
    this.counters.lost++
    this.#epoch++
    this.#ports.log.warn('transforms.result-lost', { hash })
    for (const key of keys) this.#troubles.lost(key)
    void this.#folder.remove(hash)
  }

  #join(job: TransformJob): Promise<TransformOutcome> {
    const underWay = this.#underWay.get(job.key)
    if (underWay !== undefined) return underWay
    if (this.#underWay.size >= this.#limits.mostUnderWay) return Promise.resolve(this.#turnAway())
    const working = this.#obtain(job)
      .catch((error: unknown): TransformOutcome => {
        // Our mistake: the visitor gets the file.
        this.#ports.log.error('transforms.internal', { domain: job.domain, error })
        this.#troubles.stumbled(job, false)
        return { kind: 'failed' }
      })
      .finally(() => this.#underWay.delete(job.key))
    this.#underWay.set(job.key, working)
    return working
  }

  async #obtain(job: TransformJob): Promise<TransformOutcome> {
    const name = this.#nameOf(job)
    const kept = await this.#readFolder(job, name)
    if (kept !== undefined) return kept
    if (this.#troubles.hasComponentOf(job)) return { kind: 'failed' }
    if (!(await this.#claims.claim(name))) {
      await this.#claims.wait(name, this.#limits.mostWaitMs)
      const made = await this.#readFolder(job, name)
      if (made !== undefined) return made
      // Another worker has failed at it; what it was told is not known here.
      await this.#claims.claim(name)
    }
    try {
      const leave = await this.#gate.enter(job.domain)
      if (leave === undefined) return this.#turnAway()
      try {
        return await this.#make(job, name)
      } finally {
        leave()
      }
    } finally {
      await this.#claims.release(name)
    }
  }

  async #readFolder(job: TransformJob, name: string): Promise<TransformOutcome | undefined> {
    const kept = await this.#folder.find(name)
    if (kept === undefined) return undefined
    this.counters.fromDisk++
    this.#remember(job, name, kept)
    return kept
  }

  async #make(job: TransformJob, name: string): Promise<TransformOutcome> {
    const { runner, runtime, onBlobFailed, log } = this.#ports
    let original: Uint8Array
    try {
      original = await this.#readOriginal(job)
    } catch (error) {
      log.warn('transforms.blob-failed', { hash: job.file.hash, error })
      onBlobFailed?.(job.file.hash)
      this.#troubles.stumbled(job, true)
      return { kind: 'failed' }
    }
    const trace = Buffer.from(runtime.randomBytes(8)).toString('hex')
    const startedMs = runtime.monotonic()
    const outcome = await runSteps(job, original, { runner, trace, counted: (count) => this.#count(count) })
    this.counters.seconds += (runtime.monotonic() - startedMs) / 1000
    if (outcome.kind === 'failed') return this.#explain(job, outcome, trace)
    this.#troubles.succeeded(job)
    return await this.#keep(job, name, outcome)
  }

  async #readOriginal({ file }: TransformJob): Promise<Uint8Array> {
    const bytes = await this.#ports.blobs.read(file.hash)
    if (hashBlob(bytes) === file.hash) return bytes
    throw new MakiError('MAKI_BLOB_MISMATCH', `the blob ${file.hash} is damaged on this node`)
  }

  async #keep(
    job: TransformJob,
    name: string,
    outcome: Exclude<StepsOutcome, { kind: 'failed' }>,
  ): Promise<TransformOutcome> {
    if (outcome.kind === 'unchanged') {
      // Where it cannot be kept the steps are taken again, some other time.
      await this.#folder.keep(name, { kind: 'original' })
      this.#remember(job, name, { kind: 'original' })
      return { kind: 'original' }
    }
    const { bytes, mimeType, headers } = outcome.content
    const result = { hash: hashBlob(bytes), sizeBytes: bytes.length, mimeType, headers }
    const done = { kind: 'done', result } as const
    if (!(await this.#folder.keep(name, done, bytes))) {
      this.counters.notKept++
      this.#troubles.stumbled(job, false)
      return { kind: 'failed' }
    }
    this.counters.bytes += bytes.length
    this.#remember(job, name, done)
    return done
  }

  #remember(job: TransformJob, name: string, kept: Kept): void {
    // The node may have moved while it was made; then it is one of before.
    if (this.#nameOf(job) !== name) return
    this.#table.keep(job.key, kept)
    if (kept.kind === 'done') this.#ports.onReady?.(job.file.path, kept.result)
  }

  #explain(job: TransformJob, failed: StepsOutcome & { kind: 'failed' }, trace: string): TransformOutcome {
    const { step, why, detail } = failed
    const retryMs = this.#troubles.failed(job, why, step)
    this.#ports.log.warn('transforms.failed', {
      domain: job.domain,
      transform: step.path,
      file: job.file.path,
      why,
      detail: detail.slice(0, 500),
      trace,
      retryMs,
    })
    return { kind: 'failed' }
  }

  #turnAway(): TransformOutcome {
    this.counters.turnedAway++
    return { kind: 'failed' }
  }

  #count({ outcome, cpuMs }: StepCount): void {
    this.counters.cpuSeconds += cpuMs / 1000
    this.counters.steps[outcome]++
  }

  /** Of a job on this node, as it is told to guests now. */
  #nameOf({ key }: TransformJob): string {
    const { name, latitude, longitude } = this.#ports.context()
    return createHash('sha256')
      .update(JSON.stringify([key, name, latitude, longitude]))
      .digest('hex')
  }

  #followContext(): void {
    const next = this.#ports.context()
    const last = this.#context
    if (last === next) return
    this.#context = next
    const isSame =
      last === undefined ||
      (last.name === next.name && last.latitude === next.latitude && last.longitude === next.longitude)
    if (isSame) return
    this.#epoch++
    this.#table.clear()
    this.#troubles.clear()
  }
}
