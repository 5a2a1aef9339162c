import type { ImageCounters } from '../../edge/index.ts'
import type { MetricsText } from './metrics-text.ts'

/** Writes what became of images that were asked for; nothing where none are made. */
export function writeImageMetrics(text: MetricsText, images: Readonly<ImageCounters> | undefined): void {
  if (images === undefined) return
  text.counter('makiatto_images_total', 'Transformed images that were asked for, by what became of them.', [
    [{ outcome: 'made' }, images.made],
    [{ outcome: 'memory' }, images.fromMemory],
    [{ outcome: 'disk' }, images.fromDisk],
    [{ outcome: 'refused' }, images.refused],
    [{ outcome: 'over-budget' }, images.overBudget],
    [{ outcome: 'overloaded' }, images.overloaded],
  ])
  text.counter('makiatto_image_decoders_lost_total', 'Processes that decode images and died or had to be killed.', [
    [{}, images.decodersLost],
  ])
}
