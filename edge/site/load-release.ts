import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BlobReader, type Hostname, hashBlob, MakiError, Manifest, type Release } from '../../core/index.ts'
import { FunctionTable } from '../functions/index.ts'
import { formatHttpDate } from '../message/index.ts'
import { SiteTransforms } from '../transforms/index.ts'
import { readRules } from './read-rules.ts'
import type { SiteRelease } from './site-table.ts'

/** What of a release an edge needs to serve it. */
export type LoadableRelease = Pick<Release, 'id' | 'manifest' | 'functions' | 'transforms' | 'publishedMs'>

/**
 * Reads what a release serves from its manifest and its rules, which have to be here. `nowMs` is the time of day. Rejects
 * with MAKI_BLOB_MISSING, with MAKI_BLOB_MISMATCH where a disk altered one, with MAKI_INVALID for what is no manifest.
 */
export async function loadSiteRelease(
  blobs: Pick<BlobReader, 'read'>,
  domain: Hostname,
  release: LoadableRelease,
  nowMs: number,
): Promise<SiteRelease> {
  const bytes = await blobs.read(release.manifest)
  // What a disk altered may unpack all the same, and would serve files under wrong names.
  if (hashBlob(bytes) !== release.manifest)
    throw new MakiError('MAKI_BLOB_MISMATCH', `the manifest of ${domain} is damaged on this node`)
  // A large one takes a while, and the other sites have visitors.
  const manifest = await Manifest.decodeInSteps(bytes, nextTurn)
  const { publishedMs } = release
  // Published by a clock ahead of ours: no answer may say that it was modified after it was sent (RFC 9110 section 8.8.2.1).
  const dated = publishedMs === undefined ? {} : { lastModified: formatHttpDate(Math.min(publishedMs, nowMs)) }
  const ruled = await readRules(blobs, manifest)
  const { functions = [], transforms = [] } = release
  const applied = { domain, id: release.id, manifest, manifestHash: release.manifest, transforms }
  return {
    id: release.id,
    manifest,
    ...dated,
    ...ruled,
    ...(functions.length === 0 ? {} : { functions: new FunctionTable(functions) }),
    ...(transforms.length === 0 ? {} : { transforms: new SiteTransforms(applied) }),
  }
}
