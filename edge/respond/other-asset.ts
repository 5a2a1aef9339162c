import { mayBeFingerprinted, type SitePath } from '../message/index.ts'
import type { Resolution, Site } from '../site/index.ts'
import type { Learnt, Need, OtherAsset } from './need.ts'
import { isPreview } from './preview.ts'

/**
 * The file that a page of another release means where the release served here has none of that name: a release that was
 * served a while ago, or one that this node is about to serve. Only names that carry the hash of their content are looked
 * for, so it cannot be the wrong file. Undefined where it is not to be looked for, null where nobody has it.
 */
export function findOtherAsset(
  site: Site,
  { path, slash }: SitePath,
  resolution: Resolution,
  learnt: Learnt,
): OtherAsset | Need | null | undefined {
  if (resolution.kind === 'file' && resolution.file.path === path) return undefined
  if (slash || isPreview(site) || !mayBeFingerprinted(path)) return undefined
  return learnt.asset === undefined ? { kind: 'asset', domain: site.domain, path } : learnt.asset
}
