import type { SeekerCounts } from './asset-seeker.ts'
import type { LearnerCounts } from './edge-learner.ts'
import type { MetricsText } from './metrics-text.ts'

/** Writes what became of files that pages of other releases asked for: at the edge, and where control looked for them. */
export function writeAssetMetrics(
  text: MetricsText,
  learnt: Readonly<LearnerCounts> | undefined,
  sought: Readonly<SeekerCounts>,
): void {
  if (learnt !== undefined) {
    text.counter(
      'makiatto_other_assets_total',
      'Files of other releases that were asked for, by what became of them.',
      [
        [{ outcome: 'here' }, learnt.assetsHere],
        [{ outcome: 'fetched' }, learnt.assetsFetched],
        [{ outcome: 'absent' }, learnt.assetsAbsent],
        [{ outcome: 'unasked' }, learnt.assetsUnasked],
      ],
    )
  }
  text.counter('makiatto_seeks_total', 'Searches of other nodes for files and previews, by what came of them.', [
    [{ outcome: 'found' }, sought.found],
    [{ outcome: 'refused' }, sought.refused],
    [{ outcome: 'absent' }, sought.absent],
  ])
}
