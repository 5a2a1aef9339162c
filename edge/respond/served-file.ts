import type { ManifestFile } from '../../core/index.ts'
import { isFingerprinted, type MediaHeaders, mediaHeaders, withoutParameters } from '../message/index.ts'
import type { Resolution, SiteRelease } from '../site/index.ts'
import type { TransformedFile, Transforms } from '../transforms/index.ts'
import { unite } from './edit-headers.ts'
import type { Learnt, Need } from './need.ts'
import type { BlobBody, HeaderFields } from './plan.ts'

/** A file as it is sent: that of a release, or what transforms made of it, under the same path. */
export interface ServedFile extends ManifestFile {
  /** Of a result. */
  readonly made?: Pick<TransformedFile, 'mimeType' | 'headers'>
}

export type ServedResolution =
  | { readonly kind: 'file'; readonly file: ServedFile }
  | { readonly kind: 'not-found'; readonly page: ServedFile | undefined }
  | Extract<Resolution, { kind: 'redirect' }>

/** What is served for a path. `isSettled`: the same as long as the release is served; else it may be otherwise in a while. */
export interface Served {
  readonly resolution: ServedResolution
  readonly isSettled: boolean
}

/** What a path means, its file or page as the transforms of the release leave it; a need where that is not known. */
export function findServed(
  resolution: Resolution,
  release: SiteRelease,
  learnt: Learnt,
  transforms: Transforms | undefined,
): Served | Need {
  const file =
    resolution.kind === 'file' ? resolution.file : resolution.kind === 'not-found' ? resolution.page : undefined
  if (file === undefined) return { resolution, isSettled: true }
  const found = findFile(file, release, learnt, transforms)
  if ('kind' in found) return found
  const { file: served, isSettled } = found
  return resolution.kind === 'file'
    ? { resolution: { kind: 'file', file: served }, isSettled }
    : { resolution: { kind: 'not-found', page: served }, isSettled }
}

function findFile(
  file: ManifestFile,
  release: SiteRelease,
  learnt: Learnt,
  transforms: Transforms | undefined,
): { readonly file: ServedFile; readonly isSettled: boolean } | Need {
  const job = transforms === undefined ? undefined : release.transforms?.find(file)
  if (transforms === undefined || job === undefined) return { file, isSettled: true }
  const outcome = learnt.transform ?? transforms.find(job)
  if (outcome === undefined) return { kind: 'transform', job }
  switch (outcome.kind) {
    case 'done': {
      const { hash, sizeBytes, mimeType, headers } = outcome.result
      return { file: { path: file.path, hash, sizeBytes, made: { mimeType, headers } }, isSettled: true }
    }
    case 'original':
      return { file, isSettled: true }
    case 'failed':
      return { file, isSettled: false }
    default:
      return outcome satisfies never
  }
}

/** Content-Type and Cache-Control of a file: by its name, unless a transform said what it is. */
export function mediaOf({ path, made }: Pick<ServedFile, 'path' | 'made'>): MediaHeaders {
  const named = mediaHeaders(path)
  if (made?.mimeType === undefined) return named
  // A page is asked for again each time, whatever it was made of.
  const isPage = withoutParameters(made.mimeType) === 'text/html' && !isFingerprinted(path)
  return { contentType: made.mimeType, cacheControl: isPage ? 'no-cache' : named.cacheControl }
}

/** Whatever an answer for a page that is not there says of how long it is kept, a transform of the page does not change. */
const OF_FOUND: ReadonlySet<string> = new Set(['cache-control', 'cdn-cache-control', 'expires'])

/** The headers with those that transforms gave; what the node itself says stays beside them. */
export function addMade(headers: HeaderFields, { made }: ServedFile, isFound: boolean): HeaderFields {
  if (made === undefined || made.headers.length === 0) return headers
  const added: Record<string, string | string[]> = { ...headers }
  const given = new Map<string, string[]>()
  for (const [name, value] of made.headers)
    if (isFound || !OF_FOUND.has(name)) given.set(name, [...(given.get(name) ?? []), value])
  for (const [name, values] of given) {
    if (name === 'vary' || name === 'x-robots-tag') added[name] = unite(headers[name], values.join(', '))
    else added[name] = values.length === 1 ? (values[0] as string) : values
  }
  return added
}

/** What a body of this file is read from. */
export const sourceOf = ({ hash, made }: ServedFile): Pick<BlobBody, 'hash' | 'isResult'> =>
  made === undefined ? { hash } : { hash, isResult: true }
