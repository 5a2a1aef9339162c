import { type BlobHash, type BlobReader, type Hostname, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { clientPrefix } from '../message/index.ts'
import type { Fault } from './decode.ts'
import type { Decoded, EndReason } from './decoder.ts'
import { DecoderQueue, type QueueOptions } from './decoder-queue.ts'
import { ImageClaims } from './image-claims.ts'
import { ImageFolder } from './image-folder.ts'
import type { ImageJob } from './image-job.ts'
import { type ImageOutcome, type ImageRefusal, imageDone, refuseImage } from './image-outcome.ts'
import type { ImageSettings } from './image-settings.ts'
import { type BucketSize, MissBudget } from './miss-budget.ts'
import { OutcomeMemory } from './outcome-memory.ts'

export interface ImageServiceOptions {
  readonly settings: ImageSettings
  /** Where results are kept, for all workers of the node together. */
  readonly directory: string
  /** What they may take on the disk; 0 keeps none, neither there nor in memory. */
  readonly cacheBytes: number
  /** What this process holds of them in memory. */
  readonly memoryBytes: number
  /** Workers of the node, this one included. */
  readonly workers: number
  /** For tests and rare machines; what is left out is as `USUAL` says. */
  readonly limits?: Partial<ImageLimits>
}

/** Bounds on what images may cost. */
export interface ImageLimits extends QueueOptions {
  /** Images to be made that one client network (/24, /48) and one domain may ask this worker for. */
  readonly perClient: BucketSize
  readonly perDomain: BucketSize
}

export interface ImagePorts {
  readonly blobs: BlobReader
  readonly runtime: Runtime
  readonly log: Log
  readonly onBlobFailed?: (hash: BlobHash) => void
}

/** What was asked for since the start. */
export interface ImageCounters {
  made: number
  fromMemory: number
  fromDisk: number
  /** Images that were refused for what they are. */
  refused: number
  /** Requests that were refused for how many there were. */
  overBudget: number
  overloaded: number
  /** Decoders that died or had to be killed. */
  decodersLost: number
}

const MIB = 1024 * 1024
const USUAL: ImageLimits = {
  // 100 megapixels are more than phones make; decoded they are 300 to 400 MB, which libvips rarely holds at once.
  limits: { maxPixels: 100_000_000, maxFrames: 1000 },
  maxInputBytes: 64 * MIB,
  maxOutputBytes: 32 * MIB,
  timeoutMs: 10_000,
  maxMemoryBytes: 640 * MIB,
  decoders: 1,
  // A gallery's first visitor asks for all its thumbnails at once.
  maxWaiting: 256,
  imagesPerDecoder: 500,
  idleMs: 60_000,
  perClient: { burst: 300, perSecond: 4 },
  perDomain: { burst: 1000, perSecond: 20 },
}

/** What an image is does not change; what a decoder died of might have been something else. */
const REMEMBER_REFUSED_MS = 10 * 60_000
const REMEMBER_LOST_MS = 60_000
const REFUSALS_BYTES = 1024 * 1024
const RETRY_SOON_S = 5
const RETRY_LATER_S = 60

const TOO_MUCH_MEMORY = 'the image needs more memory than it may have'
const FAULTS: Readonly<Record<Fault, string>> = {
  'unknown-format': 'the file is no JPEG, PNG, WebP, AVIF or GIF, whatever its name says',
  broken: 'the image is damaged and cannot be decoded',
  'too-many-pixels': 'the image, or what would be made of it, has more pixels than this server works on',
  'too-many-frames': 'the animation has more frames than this server works on',
  'too-large-for-format': 'the result would have a longer side than its format can hold: ask for a smaller w or h',
  'too-much-memory': TOO_MUCH_MEMORY,
}

/** Makes images and keeps what was made; equal requests are made once in a node. */
export class ImageService implements AsyncDisposable {
  readonly settings: ImageSettings
  readonly counters: ImageCounters = {
    made: 0,
    fromMemory: 0,
    fromDisk: 0,
    refused: 0,
    overBudget: 0,
    overloaded: 0,
    decodersLost: 0,
  }
  readonly #limits: ImageLimits
  readonly #ports: ImagePorts
  readonly #memory: OutcomeMemory
  readonly #folder: ImageFolder | undefined
  readonly #claims: ImageClaims | undefined
  readonly #queue: DecoderQueue
  readonly #clients: MissBudget
  readonly #domains: MissBudget
  readonly #underWay = new Map<string, Promise<ImageOutcome>>()

  constructor(options: ImageServiceOptions, ports: ImagePorts) {
    this.settings = options.settings
    this.#ports = ports
    const limits = { ...USUAL, ...options.limits }
    this.#limits = limits
    const { directory, cacheBytes, workers } = options
    // Refusals are kept in any case: they cost next to nothing, and a decoder each where they are not.
    this.#memory = new OutcomeMemory(cacheBytes === 0 ? REFUSALS_BYTES : options.memoryBytes, ports.runtime)
    if (cacheBytes > 0) {
      this.#folder = new ImageFolder({ directory, maxBytes: cacheBytes, writers: workers }, ports)
      this.#claims = new ImageClaims(`${directory}/claims`, ports.runtime)
    }
    this.#queue = new DecoderQueue(limits, ports)
    this.#clients = new MissBudget(limits.perClient, ports.runtime)
    this.#domains = new MissBudget(limits.perDomain, ports.runtime)
  }

  /** Brings the folders in order; images can be asked for before it is done. */
  async start(): Promise<void> {
    await this.#folder?.open()
    await this.#claims?.sweep()
  }

  /** What is known at once; see `Images`. */
  find({ key }: ImageJob): ImageOutcome | undefined {
    const outcome = this.#memory.find(key)
    if (outcome !== undefined) this.counters.fromMemory++
    return outcome
  }

  /** Never rejects. `client` is the address of who asks. */
  render(job: ImageJob, asker: { readonly domain: Hostname; readonly client: string }): Promise<ImageOutcome> {
    const underWay = this.#underWay.get(job.key)
    if (underWay !== undefined) return underWay
    const rendering = this.#render(job, asker).finally(() => this.#underWay.delete(job.key))
    this.#underWay.set(job.key, rendering)
    return rendering
  }

  /** Process ids of the decoders that run. */
  get decoders(): number[] {
    return this.#queue.pids
  }

  close(): Promise<void> {
    return this.#queue.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #render(job: ImageJob, asker: { domain: Hostname; client: string }): Promise<ImageOutcome> {
    const kept = this.#memory.find(job.key) ?? (await this.#readFolder(job))
    if (kept !== undefined) return kept
    const refusal = this.#admit(job, asker)
    if (refusal !== undefined) return refusal
    if ((await this.#claims?.claim(job.key)) === false) {
      await this.#claims?.wait(job.key, 2 * this.#limits.timeoutMs)
      const made = await this.#readFolder(job)
      if (made !== undefined) return made
      // Another worker has failed at it; what it was told is not known here.
      await this.#claims?.claim(job.key)
    }
    try {
      return await this.#make(job)
    } finally {
      await this.#claims?.release(job.key)
    }
  }

  async #readFolder({ key }: ImageJob): Promise<ImageOutcome | undefined> {
    const bytes = await this.#folder?.find(key)
    if (bytes === undefined) return undefined
    this.counters.fromDisk++
    const outcome = imageDone(bytes)
    this.#memory.keep(key, outcome)
    return outcome
  }

  #admit(job: ImageJob, { domain, client }: { domain: Hostname; client: string }): ImageRefusal | undefined {
    if (job.sizeBytes > this.#limits.maxInputBytes) return this.#refuse('the file is larger than this server works on')
    if (this.#queue.isFull) {
      this.counters.overloaded++
      return refuseImage(503, 'too many images are waiting to be made', RETRY_SOON_S)
    }
    const prefix = clientPrefix(client)
    const waitS = Math.max(this.#clients.waitS(prefix), this.#domains.waitS(domain))
    if (waitS > 0) {
      this.counters.overBudget++
      return refuseImage(429, 'too many images were asked for that had to be made first', waitS)
    }
    this.#clients.take(prefix)
    this.#domains.take(domain)
    return undefined
  }

  async #make(job: ImageJob): Promise<ImageOutcome> {
    const { blobs, log, onBlobFailed } = this.#ports
    let decoded: Decoded
    try {
      decoded = await this.#queue.decode(() => readBlob(blobs, job), job)
    } catch (error) {
      log.warn('images.blob-failed', { hash: job.hash, error })
      onBlobFailed?.(job.hash)
      return refuseImage(503, 'the file cannot be read at the moment', RETRY_SOON_S)
    }
    switch (decoded.kind) {
      case 'done': {
        this.counters.made++
        const outcome = imageDone(decoded.bytes)
        if (this.#folder !== undefined) this.#memory.keep(job.key, outcome)
        await this.#folder?.keep(job.key, outcome.bytes)
        return outcome
      }
      case 'fault':
        return this.#remember(job, this.#refuse(FAULTS[decoded.fault]), REMEMBER_REFUSED_MS)
      case 'ended':
        return this.#explainEnd(job, decoded.why)
      default:
        return decoded satisfies never
    }
  }

  #explainEnd(job: ImageJob, why: EndReason): ImageRefusal {
    if (why === 'closed') return refuseImage(503, 'this server is going away', RETRY_SOON_S)
    if (why === 'not-started') return refuseImage(503, 'this server has no room for images now', RETRY_SOON_S)
    this.counters.decodersLost++
    this.#ports.log.warn('images.decoder-lost', { hash: job.hash, why })
    switch (why) {
      case 'timeout':
        return this.#remember(job, refuseImage(503, 'the image took too long to make', RETRY_LATER_S), REMEMBER_LOST_MS)
      case 'memory':
        return this.#remember(job, this.#refuse(TOO_MUCH_MEMORY), REMEMBER_REFUSED_MS)
      case 'died':
      case 'nonsense':
        return this.#remember(job, refuseImage(500, 'the image ended its decoder'), REMEMBER_LOST_MS)
      default:
        return why satisfies never
    }
  }

  #refuse(reason: string): ImageRefusal {
    this.counters.refused++
    return refuseImage(422, reason)
  }

  #remember(job: ImageJob, refusal: ImageRefusal, forMs: number): ImageRefusal {
    this.#memory.keep(job.key, refusal, forMs)
    return refusal
  }
}

async function readBlob(blobs: BlobReader, { hash, sizeBytes }: ImageJob): Promise<Uint8Array> {
  const bytes = await blobs.read(hash)
  if (bytes.length === sizeBytes) return bytes
  throw new MakiError('MAKI_STORE_DAMAGED', `the blob ${hash} does not have the ${sizeBytes} bytes that it should have`)
}
