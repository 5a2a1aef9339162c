import { isRuleFile, type Manifest, type ManifestFile } from '../../core/index.ts'
import { isFingerprinted, type SitePath } from '../message/index.ts'

export type Resolution =
  | { readonly kind: 'file'; readonly file: ManifestFile }
  /** The page lives at another spelling of the path. */
  | { readonly kind: 'redirect'; readonly path: SitePath }
  /** `page` is the nearest 404.html; undefined where the site has none. */
  | { readonly kind: 'not-found'; readonly page: ManifestFile | undefined }

/**
 * Finds what a path means, through the manifest and nothing else; case-sensitive. In this order:
 *
 * - `/p`: the file `p`, then `p.html`, then a redirect to `/p/` where `p/index.html` exists.
 * - `/p/`: the file `p/index.html`, then a redirect to `/p` where `p.html` exists. `/` is `index.html`.
 * - else, with `spa`, `/index.html` as if it had been asked for, unless the name is fingerprinted; without, the nearest `404.html` up the tree.
 *
 * A directory is redirected to its slash and not served without it, as GitHub Pages, Cloudflare Pages, nginx and Apache
 * do, because relative links in its page are resolved against the slash; every page then has one address.
 *
 * Files of rules are hidden, in every folder.
 */
export function resolvePath(manifest: Manifest, target: SitePath, options: { spa: boolean }): Resolution {
  const { path, slash } = target
  const index = path === '' ? 'index.html' : `${path}/index.html`
  const exact = isRuleFile(path) ? undefined : manifest.find(path)
  const file = slash ? manifest.find(index) : (exact ?? manifest.find(`${path}.html`))
  if (file !== undefined) return { kind: 'file', file }
  const elsewhere = path !== '' && manifest.find(slash ? `${path}.html` : index) !== undefined
  if (elsewhere) return { kind: 'redirect', path: { path, slash: !slash } }
  return resolveUnknown(manifest, target, options)
}

/** What a path gets that no file can have. */
export function resolveUnknown(
  manifest: Manifest,
  target: SitePath | undefined,
  options: { spa: boolean },
): Resolution {
  // No view of an application is named after the hash of a file: a page in the place of a script that is gone would only hide
  // that it is.
  const isAsset = target !== undefined && !target.slash && isFingerprinted(target.path)
  const fallback = options.spa && !isAsset ? manifest.find('index.html') : undefined
  if (fallback !== undefined) return { kind: 'file', file: fallback }
  return { kind: 'not-found', page: findNotFoundPage(manifest, target) }
}

function findNotFoundPage(manifest: Manifest, target: SitePath | undefined): ManifestFile | undefined {
  let folder = target === undefined ? '' : target.slash ? target.path : parentOf(target.path)
  for (;;) {
    const page = manifest.find(folder === '' ? '404.html' : `${folder}/404.html`)
    if (page !== undefined || folder === '') return page
    folder = parentOf(folder)
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
