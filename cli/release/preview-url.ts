import {
  type CertificateName,
  type CertificateValue,
  type DomainView,
  type Entry,
  keys,
  type OperationId,
  previewHost,
  type State,
} from '../../core/index.ts'
import type { ReleaseMarks } from './marks.ts'

/**
 * Where a release can be looked at, live or not; null where its domain shows none, or it was purged. It is `https` where a
 * certificate that is valid at `nowMs` is for that host, else `http`: nodes show no certificate that is for another.
 */
export function previewUrl(
  state: Pick<State, 'get' | 'ids'>,
  { apex, settings }: Pick<DomainView, 'apex' | 'settings'>,
  release: OperationId,
  marks: Pick<ReleaseMarks, 'purged'>,
  nowMs: number,
): string | null {
  if (!settings.previews || marks.purged) return null
  const host = previewHost(release, apex)
  return `${isCertified(state, host, apex, nowMs) ? 'https' : 'http'}://${host}/`
}

/** A wildcard stands for one label (RFC 9525 section 6.3), and a preview's host is the apex with one label before it. */
function isCertified(state: Pick<State, 'get' | 'ids'>, host: string, apex: string, nowMs: number): boolean {
  return state.ids('certificate').some((id) => {
    const entry = state.get(keys.certificate(id as CertificateName)) as Entry<CertificateValue> | undefined
    if (entry === undefined || nowMs < entry.value.notBeforeMs || nowMs > entry.value.notAfterMs) return false
    return entry.value.names.some((name) => name === host || name === `*.${apex}`)
  })
}
