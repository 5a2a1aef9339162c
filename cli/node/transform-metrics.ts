import type { TransformCounters } from '../../edge/index.ts'
import type { MetricsText } from './metrics-text.ts'

/** Writes what became of files that were to be transformed; nothing where none are. */
export function writeTransformMetrics(text: MetricsText, transforms: Readonly<TransformCounters> | undefined): void {
  if (transforms === undefined) return
  const { steps, cpuSeconds, seconds, bytes, fromMemory, fromDisk, turnedAway, waitedTooLong, notKept, lost } =
    transforms
  const { changed, unchanged, ...failures } = steps
  text.counter('makiatto_transforms_total', 'Runs of transforms, by what they did with the file.', [
    [{ outcome: 'changed' }, changed],
    [{ outcome: 'unchanged' }, unchanged],
    [{ outcome: 'failed' }, Object.values(failures).reduce((sum, count) => sum + count, 0)],
  ])
  text.counter(
    'makiatto_transform_failures_total',
    'Runs of transforms that failed, by why.',
    Object.entries(failures).map(([why, count]) => [{ why }, count]),
  )
  text.counter('makiatto_transform_cpu_seconds_total', 'Processor time of transforms.', [[{}, cpuSeconds]])
  text.counter('makiatto_transform_seconds_total', 'How long files waited for their transforms to run.', [
    [{}, seconds],
  ])
  text.counter('makiatto_transform_bytes_total', 'What transforms made and was kept.', [[{}, bytes]])
  text.counter('makiatto_transform_results_total', 'Results that were asked for and not made anew, by event.', [
    [{ event: 'from-memory' }, fromMemory],
    [{ event: 'from-disk' }, fromDisk],
    [{ event: 'turned-away' }, turnedAway],
    [{ event: 'waited-too-long' }, waitedTooLong],
    [{ event: 'not-kept' }, notKept],
    [{ event: 'lost' }, lost],
  ])
}
