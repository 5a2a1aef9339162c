import type { BlobHash, MemberKey } from '../../core/index.ts'
import type { BlobWriter } from '../blobs/blob-batch.ts'

export interface WantedBlob {
  readonly hash: BlobHash
  /** As the manifest says; absent for the manifest itself. Bounds what a peer may send; the hash decides what is right. */
  readonly sizeBytes?: number
}

export interface FetchProgress {
  readonly blobs: number
  readonly totalBlobs: number
  /** Of blobs whose size was given. */
  readonly bytes: number
  readonly totalBytes: number
}

export interface FetchOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: FetchProgress) => void
  /** Called with all blobs of this fetch that every peer was asked for in vain, when that changes; they are tried again later. */
  readonly onLacking?: (hashes: readonly BlobHash[]) => void
}

/** One call of `fetch`: done when none remains. */
export interface Job {
  readonly remaining: Map<BlobHash, number>
  readonly lacking: Set<BlobHash>
  readonly totalBlobs: number
  readonly totalBytes: number
  doneBytes: number
  readonly options: FetchOptions
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A blob that is not here, and who waits for it. */
export interface Want {
  readonly hash: BlobHash
  /** The largest size that was announced; undefined when somebody could not tell. */
  limitBytes: number | undefined
  readonly jobs: Set<Job>
  /** Peers that had their turn in this round. */
  readonly asked: Set<MemberKey>
  /** checking: is it here? · queued: for a peer · active: in a transfer · resting: all were asked, until the next round */
  state: 'checking' | 'queued' | 'active' | 'resting'
  partial: PartialBlob | undefined
  /** False once pieces of several peers did not fit together: from then on it comes whole from one. */
  resumable: boolean
}

interface PartialBlob {
  readonly writer: BlobWriter
  readonly totalBytes: number
  readonly peers: Set<MemberKey>
}

/** Who wants what. No I/O; each blob stands here once, however many jobs wait for it. */
export class WantTable {
  readonly #wants = new Map<BlobHash, Want>()
  readonly queued = new Set<Want>()
  readonly resting = new Set<Want>()

  get size(): number {
    return this.#wants.size
  }

  find(hash: BlobHash): Want | undefined {
    return this.#wants.get(hash)
  }

  has(want: Want): boolean {
    return this.#wants.get(want.hash) === want
  }

  all(): IterableIterator<Want> {
    return this.#wants.values()
  }

  /** Adds a job's blobs; returns those that nobody wanted before. */
  add(job: Job, blobs: Iterable<WantedBlob>): Want[] {
    const added: Want[] = []
    for (const { hash, sizeBytes } of blobs) {
      let want = this.#wants.get(hash)
      if (want === undefined) {
        want = { hash, limitBytes: sizeBytes, jobs: new Set(), asked: new Set(), ...FRESH }
        this.#wants.set(hash, want)
        added.push(want)
      } else if (sizeBytes === undefined || want.limitBytes === undefined) want.limitBytes = undefined
      else want.limitBytes = Math.max(want.limitBytes, sizeBytes)
      want.jobs.add(job)
    }
    return added
  }

  move(want: Want, state: Want['state']): void {
    this.queued.delete(want)
    this.resting.delete(want)
    want.state = state
    if (state === 'queued') this.queued.add(want)
    if (state === 'resting') this.resting.add(want)
  }

  /** The blob is here: its jobs go on, and those that lacked nothing else end. */
  settle(want: Want): void {
    this.#delete(want)
    for (const job of want.jobs) {
      job.doneBytes += job.remaining.get(want.hash) ?? 0
      job.remaining.delete(want.hash)
      if (job.lacking.delete(want.hash) && job.lacking.size === 0) job.options.onLacking?.([])
      if (job.remaining.size === 0) job.resolve()
    }
  }

  /** The job ends unfinished; returns the wants that nobody has any more. */
  drop(job: Job): Want[] {
    const orphans: Want[] = []
    for (const hash of job.remaining.keys()) {
      const want = this.#wants.get(hash)
      if (want === undefined || !want.jobs.delete(job) || want.jobs.size > 0) continue
      this.#delete(want)
      orphans.push(want)
    }
    return orphans
  }

  #delete(want: Want): void {
    this.queued.delete(want)
    this.resting.delete(want)
    this.#wants.delete(want.hash)
  }
}

const FRESH = { state: 'checking', partial: undefined, resumable: true } as const
