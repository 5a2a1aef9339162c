import { type DomainView, type OperationId, previewHost } from '../../core/index.ts'
import type { ReleaseMarks } from './marks.ts'

/** Where a release can be looked at, live or not; null where its domain shows none, or it was purged. */
export function previewUrl(
  { apex, settings }: Pick<DomainView, 'apex' | 'settings'>,
  release: OperationId,
  marks: Pick<ReleaseMarks, 'purged'>,
): string | null {
  return settings.previews && !marks.purged ? `https://${previewHost(release, apex)}/` : null
}
