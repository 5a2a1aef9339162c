import type { ImageServiceOptions } from '../../edge/index.ts'
import type { DaemonConfig } from '../config/index.ts'

const MIB = 1024 * 1024
/** Of all that is cached, what the workers of a node hold in memory together. */
const MEMORY_SHARE = 1 / 8
const MAX_MEMORY_BYTES = 64 * MIB

/** What a worker makes images with; undefined where the configuration says that none are made. */
export function buildImageOptions(
  { images }: Pick<DaemonConfig, 'images'>,
  directory: string,
  workers: number,
): ImageServiceOptions | undefined {
  if (!images.enabled) return undefined
  const cacheBytes = images.cache_size_mb * MIB
  const processes = Math.max(1, workers)
  return {
    settings: {
      maxWidth: images.max_width,
      maxHeight: images.max_height,
      formats: [...new Set(images.allowed_formats.map((format) => (format === 'jpeg' ? 'jpg' : format)))],
      widths: [...images.widths].sort((a, b) => a - b),
    },
    directory,
    cacheBytes,
    memoryBytes: Math.floor(Math.min(MAX_MEMORY_BYTES, cacheBytes * MEMORY_SHARE) / processes),
    workers: processes,
  }
}
