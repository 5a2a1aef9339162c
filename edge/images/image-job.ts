import { createHash } from 'node:crypto'
import type { BlobHash } from '../../core/index.ts'
import type { Fit, ImageParameters } from './image-parameters.ts'
import type { ImageFormat, ImageSettings } from './image-settings.ts'

/** What is made of an image: all that its bytes depend on besides those of the file. */
export interface ImageShape {
  /** Pixels; with `max` the most that there may be, else what there will be. */
  readonly width: number
  readonly height: number
  readonly fit: Fit
  readonly format: ImageFormat
  /** 1 to 100; undefined for formats without loss. */
  readonly quality: number | undefined
}

/** One transformation of one blob. Equal jobs have equal keys. */
export interface ImageJob extends ImageShape {
  readonly hash: BlobHash
  readonly sizeBytes: number
  /** SHA-256 in hexadecimal of hash, shape and pipeline; the name of a file, too. */
  readonly key: string
}

/** Changes whenever the same parameters may make other bytes, so that nothing made before is taken for it. */
export const PIPELINE = 'sharp-0.35.5/1'

/** 85 as the Rust Makiatto has it; AVIF looks the same at less. */
const DEFAULT_QUALITY: Readonly<Record<ImageFormat, number | undefined>> = {
  jpg: 85,
  webp: 85,
  avif: 60,
  png: undefined,
  gif: undefined,
}

/** The job that parameters ask for, in a normal form: what makes no difference to the result makes none to the key. */
export function buildJob(
  source: { readonly hash: BlobHash; readonly sizeBytes: number },
  { width, height, fit, quality }: Omit<ImageParameters, 'format'>,
  format: ImageFormat,
  settings: Pick<ImageSettings, 'maxWidth' | 'maxHeight'>,
): ImageJob {
  const usual = DEFAULT_QUALITY[format]
  const shape: ImageShape = {
    width: width ?? settings.maxWidth,
    height: height ?? settings.maxHeight,
    // With one side alone the other follows, and nothing is left to fit.
    fit: width === undefined || height === undefined ? 'max' : fit,
    format,
    quality: usual === undefined ? undefined : (quality ?? usual),
  }
  const text = [PIPELINE, source.hash, shape.width, shape.height, shape.fit, format, shape.quality ?? ''].join('\n')
  const key = createHash('sha256').update(text).digest('hex')
  return { ...shape, hash: source.hash, sizeBytes: source.sizeBytes, key }
}

/**
 * The strong entity tag of a result: of the job, and of what came out. Libraries may make other bytes of the same job on
 * another processor, and equal tags must be equal bytes on all nodes (RFC 9110 section 8.8.1).
 */
export function entityTagOf(job: ImageJob, check: string): string {
  return `"${tagPrefix(job)}${check}"`
}

/** The first entity tag in a list that is of this job, whatever node made it. */
export function findEntityTag(list: string, job: ImageJob): string | undefined {
  return new RegExp(`"${tagPrefix(job)}[0-9a-f]{16}"`).exec(list)?.[0]
}

const tagPrefix = ({ hash, key }: ImageJob): string => `${hash}-${key.slice(0, 16)}-`
