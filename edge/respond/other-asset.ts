import { mayBeFingerprinted, type SitePath } from '../message/index.ts'
import type { Resolution, Site } from '../site/index.ts'
import type { Learnt, Need, OtherAsset } from './need.ts'
import { isPreview } from './preview.ts'

/**
 * The file that a page of another release means where the release served here has none of that name: a release that was
 * served a while ago, or one that this node is about to serve. Only names that carry the hash of their content are looked
 * for, so it cannot be the wrong file. One that its own release protects is found only where the release served here
 * asks for a password too. Undefined where it is not to be looked for, null where nobody has it.
 */
export function findOtherAsset(
  site: Site,
  { path, slash }: SitePath,
  resolution: Resolution,
  learnt: Learnt,
): OtherAsset | Need | null | undefined {
  if (resolution.kind === 'file' && resolution.file.path === path) return undefined
  if (slash || isPreview(site) || !mayBeFingerprinted(path)) return undefined
  const { asset } = learnt
  if (asset === undefined) return { kind: 'asset', domain: site.domain, path }
  // With the rule that protected it went the one who is asked for the password: nobody is, and nobody gets it.
  return asset?.isProtected === true && !isProtected(site, path) ? null : asset
}

const isProtected = ({ domain, release }: Site, path: string): boolean =>
  release?.rules?.authFor(domain, { path, slash: false }) !== undefined
