import { createHash } from 'node:crypto'
import {
  type BlobHash,
  encodeCanonical,
  type Hostname,
  type Manifest,
  type ManifestFile,
  type OperationId,
  type TransformValue,
} from '../../core/index.ts'
import { type Glob, parseGlob } from './glob.ts'
import type { TransformJob } from './transform-job.ts'

/** What of a release its transforms are applied from. */
export interface TransformedRelease {
  readonly domain: Hostname
  readonly id: OperationId
  readonly manifest: Manifest
  /** The blob that holds the manifest. */
  readonly manifestHash: BlobHash
  readonly transforms: readonly TransformValue[]
}

/** Changes whenever the same components may be run otherwise, so that nothing made before is taken for it. */
const WORLD = 'makiatto:transform@0.1.0/1'
/** Of a file where a transform does not say. */
const DEFAULT_MAX_FILE_KB = 1024
/** Held in memory as a whole, whatever a transform says. */
export const MAX_TRANSFORMED_BYTES: number = 32 * 1024 * 1024
/** Files whose transforms are remembered. */
const MAX_REMEMBERED = 20_000
/** Of all patterns of a release together: what the first visitor of a file waits for is some milliseconds at most. */
const MAX_COST = 16_384

interface Remembered {
  readonly hash: BlobHash
  readonly job: TransformJob | undefined
}

/** The transforms of a release, by file: found once for each. */
export class SiteTransforms {
  /** Patterns that are none, or too much together: operations are made elsewhere too. Their transforms are applied to nothing. */
  readonly faults: number
  readonly #release: TransformedRelease
  readonly #transforms: readonly { readonly glob: Glob; readonly value: TransformValue }[]
  readonly #jobs = new Map<string, Remembered>()

  constructor(release: TransformedRelease) {
    this.#release = release
    let cost = 0
    this.#transforms = release.transforms.flatMap((value) => {
      const glob = findGlob(value.files)
      cost += glob?.cost ?? 0
      return glob === undefined || cost > MAX_COST ? [] : [{ glob, value }]
    })
    this.faults = release.transforms.length - this.#transforms.length
  }

  /** What is to be done to a file of the release; undefined where it is served as it is. */
  find(file: ManifestFile): TransformJob | undefined {
    const known = this.#jobs.get(file.path)
    if (known?.hash === file.hash) return known.job
    const job = this.#build(file)
    if (this.#jobs.size >= MAX_REMEMBERED) this.#jobs.clear()
    this.#jobs.set(file.path, { hash: file.hash, job })
    return job
  }

  #build(file: ManifestFile): TransformJob | undefined {
    if (file.sizeBytes > MAX_TRANSFORMED_BYTES) return undefined
    const matching = this.#transforms.filter(({ glob }) => glob.matches(file.path)).map(({ value }) => value)
    // Until the first that takes it, the file keeps its size.
    const first = matching.findIndex((step) => takes(step, file.sizeBytes))
    if (first === -1) return undefined
    const steps = matching.slice(first)
    const { domain, id: release, manifest, manifestHash } = this.#release
    // A transform may read the other files of the release: the same file of the next one may come out otherwise.
    const key = createHash('sha256')
      .update(encodeCanonical([WORLD, domain, manifestHash, file.path, file.hash, steps]))
      .digest('hex')
    return { key, domain, release, manifest, file, steps }
  }
}

/** Whether a transform is given content of this size; it is passed over where it is not. */
export function takes({ maxFileSizeKb }: TransformValue, sizeBytes: number): boolean {
  return sizeBytes <= Math.min((maxFileSizeKb ?? DEFAULT_MAX_FILE_KB) * 1024, MAX_TRANSFORMED_BYTES)
}

function findGlob(pattern: string): Glob | undefined {
  try {
    return parseGlob(pattern)
  } catch {
    return undefined
  }
}
