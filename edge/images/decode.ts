import sharp, { type Metadata, type Sharp } from 'sharp'
import { planGeometry, type Size } from './geometry.ts'
import type { ImageShape } from './image-job.ts'
import type { ImageFormat } from './image-settings.ts'
import { sniffFormat } from './sniff.ts'

/** Bounds on what is decoded and made; pixels are those of all frames together. */
export interface DecodeLimits {
  readonly maxPixels: number
  readonly maxFrames: number
}

/** Why an image is refused, in the words of the protocol between a decoder and its owner. */
export type Fault =
  | 'unknown-format'
  | 'broken'
  | 'too-many-pixels'
  | 'too-many-frames'
  | 'too-large-for-format'
  | 'too-much-memory'

/** An image that is refused: its own fault, and not the decoder's. */
export class RefusedImage extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault)
    this.fault = fault
  }
}

/** The one loader for each format, from memory; every other one is off. */
const LOADERS = [
  'VipsForeignLoadJpegBuffer',
  'VipsForeignLoadPngBuffer',
  'VipsForeignLoadWebpBuffer',
  'VipsForeignLoadHeifBuffer',
  'VipsForeignLoadNsgifBuffer',
]

const WHITE = { r: 255, g: 255, b: 255, alpha: 1 }
const CLEAR = { r: 0, g: 0, b: 0, alpha: 0 }
/** Longest side that a format can hold. */
const LONGEST: Readonly<Record<ImageFormat, number>> = {
  jpg: 65_535,
  png: 65_535,
  webp: 16_383,
  avif: 16_384,
  gif: 65_535,
}
/** Of 9; libvips would take 4. A twentieth of the time for a small image, and no larger: docs/performance.md has figures. */
const AVIF_EFFORT = 1

/** Sets libvips up for one image at a time from strangers; once in a process, before the first image. */
export function prepareDecoder(): void {
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: LOADERS })
}

/**
 * Decodes a file, whatever its name, turns it upright, converts it to sRGB with 8 bits a channel, gives it the shape, and
 * encodes it without metadata. Frames are kept where both formats have them. Rejects with `RefusedImage`.
 */
export async function transformImage(input: Uint8Array, shape: ImageShape, limits: DecodeLimits): Promise<Buffer> {
  const found = sniffFormat(input)
  if (found === undefined) throw new RefusedImage('unknown-format')
  const metadata = await readMetadata(input)
  const frames = shape.format === 'webp' || shape.format === 'gif' ? (metadata.pages ?? 1) : 1
  if (frames > limits.maxFrames) throw new RefusedImage('too-many-frames')
  const stored = { width: metadata.width, height: metadata.pageHeight ?? metadata.height }
  if (stored.width * stored.height * frames > limits.maxPixels) throw new RefusedImage('too-many-pixels')
  const turned = frames === 1 && (metadata.orientation ?? 1) >= 5
  const upright = turned ? { width: stored.height, height: stored.width } : stored
  const { result } = planGeometry(upright, shape)
  if (Math.max(result.width, result.height) > LONGEST[shape.format]) throw new RefusedImage('too-large-for-format')
  if (result.width * result.height * frames > limits.maxPixels) throw new RefusedImage('too-many-pixels')
  try {
    return await encode(reshape(open(input, frames, limits), upright, shape, frames), shape).toBuffer()
  } catch (error) {
    // What the limit of the process's data refuses comes back from the coders in their words.
    throw new RefusedImage(/memory|alloc/i.test(String(error)) ? 'too-much-memory' : 'broken')
  }
}

async function readMetadata(input: Uint8Array): Promise<Metadata> {
  try {
    return await sharp(input, { failOn: 'error', limitInputPixels: false }).metadata()
  } catch {
    throw new RefusedImage('broken')
  }
}

function open(input: Uint8Array, frames: number, { maxPixels }: DecodeLimits): Sharp {
  const options = { failOn: 'error', limitInputPixels: maxPixels, sequentialRead: true } as const
  return frames > 1 ? sharp(input, { ...options, pages: -1 }) : sharp(input, options).autoOrient()
}

function reshape(image: Sharp, source: Size, shape: ImageShape, frames: number): Sharp {
  const { scaled, cut, margin } = planGeometry(source, shape)
  let reshaped = image
  if (cut || scaled.width !== source.width || scaled.height !== source.height)
    reshaped = reshaped.resize({ ...scaled, fit: cut ? 'cover' : 'fill', position: 'centre' })
  // Frames lie below each other while they are worked on; only `contain` pads each of them.
  if (frames > 1 && shape.fit === 'pad') {
    const { width, height } = shape
    reshaped = image.resize({ width, height, fit: 'contain', background: CLEAR })
  } else if (Object.values(margin).some((pixels) => pixels > 0)) {
    reshaped = reshaped.extend({ ...margin, background: shape.format === 'jpg' ? WHITE : CLEAR })
  }
  return shape.format === 'jpg' ? reshaped.flatten({ background: WHITE }) : reshaped
}

function encode(image: Sharp, { format, quality = 85 }: ImageShape): Sharp {
  switch (format) {
    case 'jpg':
      return image.jpeg({ quality })
    case 'webp':
      return image.webp({ quality })
    case 'avif':
      return image.avif({ quality, effort: AVIF_EFFORT })
    case 'png':
      return image.png()
    case 'gif':
      return image.gif()
    default:
      return format satisfies never
  }
}
