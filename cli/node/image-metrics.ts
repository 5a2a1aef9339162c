import type { ImageCounters } from '../../edge/index.ts'
import type { Sample } from './metrics-text.ts'

type WriteMetric = (name: string, type: 'counter', help: string, samples: readonly Sample[]) => void

/** Writes what became of images that were asked for; nothing where none are made. */
export function writeImageMetrics(metric: WriteMetric, images: Readonly<ImageCounters> | undefined): void {
  if (images === undefined) return
  metric('images_total', 'counter', 'Transformed images that were asked for, by what became of them.', [
    [{ outcome: 'made' }, images.made],
    [{ outcome: 'memory' }, images.fromMemory],
    [{ outcome: 'disk' }, images.fromDisk],
    [{ outcome: 'refused' }, images.refused],
    [{ outcome: 'over-budget' }, images.overBudget],
    [{ outcome: 'overloaded' }, images.overloaded],
  ])
  metric('image_decoders_lost_total', 'counter', 'Processes that decode images and died or had to be killed.', [
    [{}, images.decodersLost],
  ])
}
