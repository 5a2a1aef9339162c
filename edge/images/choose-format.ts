import type { ImageFormat } from './image-settings.ts'
import { mediaTypeOf } from './image-settings.ts'

/**
 * What `fmt=auto` comes to for a client: AVIF, else WebP, where the node makes it and the client names it in Accept with
 * a quality above 0 (wildcards do not count: browsers that lack a format send them too); else the format of the file.
 * What may be animated, GIF and WebP, becomes or stays WebP, since few programs show an animated AVIF.
 */
export function chooseFormat(
  original: ImageFormat,
  accept: string | undefined,
  formats: readonly ImageFormat[],
): ImageFormat {
  const animated = original === 'gif' || original === 'webp'
  for (const format of ['avif', 'webp'] as const) {
    if (format === 'avif' && animated) continue
    if ((format === original || formats.includes(format)) && accepts(accept, mediaTypeOf(format))) return format
  }
  return original
}

/** True where Accept names the media type itself (RFC 9110 section 12.5.1), with whatever parameters, and not with `q=0`. */
export function accepts(accept: string | undefined, mediaType: string): boolean {
  for (const part of accept?.split(',') ?? []) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    if (type === mediaType) return !parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter))
  }
  return false
}
