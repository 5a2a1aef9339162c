import { findPreviewHost, type Hostname } from '../../core/index.ts'
import type { Site, SiteRelease, SiteTable } from '../site/index.ts'
import type { Learnt, Need } from './need.ts'

/** A site as it was, or would be, with another release than the one that is live. */
export interface PreviewSite extends Site {
  readonly isPreview: true
  readonly release: SiteRelease
}

/**
 * The site behind the host of a preview, `<release>--preview.<apex>`; undefined for a host that is none, a domain that
 * shows none, and a release that is not kept. A domain that sends its visitors elsewhere shows its releases all the same.
 */
export function findPreviewSite(
  host: string,
  table: SiteTable,
  learnt: Learnt,
  fallback: ((host: string, table: SiteTable) => Hostname | undefined) | undefined,
): PreviewSite | Need | undefined {
  const asked = findPreviewHost(host)
  if (asked === undefined) return undefined
  const domain = table.siteOf(asked.apex as Hostname)?.domain ?? fallback?.(asked.apex, table)
  const site = domain === undefined ? undefined : table.siteOf(domain)
  if (site === undefined || !site.previews) return undefined
  // What is live needs no look-up, and may be a merge that nobody published.
  const live = site.release?.id.startsWith(asked.idPrefix) === true ? site.release : undefined
  const release = live ?? learnt.preview
  if (release === undefined) return { kind: 'preview', domain: site.domain, idPrefix: asked.idPrefix }
  if (release === null) return undefined
  return { ...site, isPreview: true, redirect: undefined, published: true, release }
}

/** True for a site that is shown at the host of a preview. */
export const isPreview = (site: Site): site is PreviewSite => 'isPreview' in site
