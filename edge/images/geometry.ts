import type { ImageShape } from './image-job.ts'

/** Pixels. */
export interface Size {
  readonly width: number
  readonly height: number
}

export interface Geometry {
  /** What the image is scaled to; with `cut`, so that it fills this box and loses what stands over on both sides alike. */
  readonly scaled: Size
  readonly cut: boolean
  /** Pixels of background around it; all 0 but for `pad`. */
  readonly margin: { readonly top: number; readonly bottom: number; readonly left: number; readonly right: number }
  readonly result: Size
}

const NO_MARGIN = { top: 0, bottom: 0, left: 0, right: 0 }

/**
 * Sizes for a source that is turned upright already. Nothing is ever enlarged but by `stretch`:
 *
 * - `max`: as large as fits into the box, all of it to be seen.
 * - `pad`: like `max`, in the middle of a background that fills the box.
 * - `crop`: the middle of the image in the ratio of the box; of a small source a smaller box of that ratio.
 * - `stretch`: the box, whatever becomes of the ratio.
 */
export function planGeometry(
  source: Size,
  { width, height, fit }: Pick<ImageShape, 'width' | 'height' | 'fit'>,
): Geometry {
  const box = { width, height }
  switch (fit) {
    case 'max': {
      const scaled = scale(source, Math.min(1, width / source.width, height / source.height), box)
      return { scaled, cut: false, margin: NO_MARGIN, result: scaled }
    }
    case 'pad': {
      const scaled = scale(source, Math.min(1, width / source.width, height / source.height), box)
      const left = Math.floor((width - scaled.width) / 2)
      const top = Math.floor((height - scaled.height) / 2)
      const margin = { top, bottom: height - scaled.height - top, left, right: width - scaled.width - left }
      return { scaled, cut: false, margin, result: box }
    }
    case 'crop': {
      const scaled = scale(box, Math.min(1, source.width / width, source.height / height), source)
      return { scaled, cut: true, margin: NO_MARGIN, result: scaled }
    }
    case 'stretch':
      return { scaled: box, cut: false, margin: NO_MARGIN, result: box }
    default:
      return fit satisfies never
  }
}

/** Each side at least a pixel, however narrow the image, and never over `most`, however it is rounded. */
function scale(size: Size, factor: number, most: Size): Size {
  const side = (length: number, limit: number) => Math.min(limit, Math.max(1, Math.round(length * factor)))
  return { width: side(size.width, most.width), height: side(size.height, most.height) }
}
