/** What images can be made into; a GIF stays one where no format is asked for. */
export type ImageFormat = 'jpg' | 'png' | 'webp' | 'avif' | 'gif'

/** What may be asked for, from the configuration of the node. */
export interface ImageSettings {
  readonly maxWidth: number
  readonly maxHeight: number
  /** What `fmt` may name, and what `auto` chooses from; a format that is kept needs no permission. */
  readonly formats: readonly ImageFormat[]
  /** The only values that `w` may have; any where it is empty. */
  readonly widths: readonly number[]
}

const MEDIA_TYPES = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  gif: 'image/gif',
} as const satisfies Record<ImageFormat, string>

export function mediaTypeOf(format: ImageFormat): string {
  return MEDIA_TYPES[format]
}

const EXTENSIONS: Readonly<Record<string, ImageFormat>> = {
  jpg: 'jpg',
  jpeg: 'jpg',
  jpe: 'jpg',
  png: 'png',
  webp: 'webp',
  avif: 'avif',
  gif: 'gif',
}

/** What a path says that it is; undefined for what is never transformed: SVG, ICO, and everything that is no image. */
export function findImageFormat(path: string): ImageFormat | undefined {
  const dot = path.lastIndexOf('.')
  const extension = dot === -1 ? '' : path.slice(dot + 1).toLowerCase()
  return Object.hasOwn(EXTENSIONS, extension) ? EXTENSIONS[extension] : undefined
}
