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
import type { ClusterStatus, NodeStatus } from '../../edge/control/index.ts'
import type { ReleaseMarks } from './marks.ts'

/**
 * Where a release can be looked at, live or not; null where its domain shows none, or it was purged. It is `https` where a
 * certificate that is valid at `nowMs` is for that host, else `http`: nodes show no certificate that is for another. `serves` are
 * the ports of a node, where one was asked: those of a cluster on this computer are its own.
 */
export function previewUrl(
  state: Pick<State, 'get' | 'ids'>,
  { apex, settings }: Pick<DomainView, 'apex' | 'settings'>,
  release: OperationId,
  marks: Pick<ReleaseMarks, 'purged'>,
  nowMs: number,
  serves: NodeStatus['serves'] = {},
): string | null {
  if (!settings.previews || marks.purged) return null
  const host = previewHost(release, apex)
  const isSecure = isCertified(state, host, apex, nowMs)
  const port = isSecure ? (serves.https ?? 443) : (serves.http ?? 80)
  // What is the scheme's own port is left out.
  return new URL(`${isSecure ? 'https' : 'http'}://${host}:${port}/`).href
}

/** A wildcard stands for one label (RFC 9525 section 6.3), and a preview's host is the apex with one label before it. */
function isCertified(state: Pick<State, 'get' | 'ids'>, host: string, apex: string, nowMs: number): boolean {
  return state.ids('certificate').some((id) => {
    const entry = state.get(keys.certificate(id as CertificateName)) as Entry<CertificateValue> | undefined
    if (entry === undefined || nowMs < entry.value.notBeforeMs || nowMs > entry.value.notAfterMs) return false
    return entry.value.names.some((name) => name === host || name === `*.${apex}`)
  })
}

/** The ports of the node that answered, as far as it says them. */
export const portsOf = (status: ClusterStatus | undefined): NodeStatus['serves'] =>
  status?.nodes.find(({ key }) => key === status.self)?.serves
