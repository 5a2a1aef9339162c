import sharp from 'sharp'
import { transformImage } from './decode.ts'
import type { ImageFormat } from './image-settings.ts'

const FORMATS: readonly ImageFormat[] = ['jpg', 'png', 'webp', 'avif', 'gif']
const LIMITS = { maxPixels: 64, maxFrames: 1 }

/** Runs a tiny image through every coder, so that nothing has to be loaded from the disk once files are out of reach. */
export async function warmUp(): Promise<void> {
  const create = { width: 8, height: 4, channels: 4 as const, background: '#80402080' }
  const source = await sharp({ create }).png().toBuffer()
  for (const format of FORMATS) {
    const shape = { width: 4, height: 4, fit: 'crop', format, quality: 50 } as const
    const made = await transformImage(source, shape, LIMITS)
    await transformImage(made, shape, LIMITS)
  }
}
