import { existsSync, unlinkSync } from 'node:fs'
import type { BlobHash } from '../../../core/index.ts'
import { resultPath } from '../../../edge/index.ts'
import type { VariantMakerOptions } from './variant-maker.ts'

/**
 * What encodings are made of: the blobs of releases and, beside them, what transforms made of files, which lies in a folder of
 * its own under hashes too.
 */
export function buildEncodable({
  blobs,
  onDamaged,
  results,
}: Pick<VariantMakerOptions, 'blobs' | 'onDamaged'> & {
  /** Where results of transforms lie. */
  readonly results: string
}): Pick<VariantMakerOptions, 'blobs' | 'onDamaged'> {
  const isResult = (hash: BlobHash) => !existsSync(blobs.path(hash)) && existsSync(resultPath(results, hash))
  return {
    blobs: {
      path: (hash) => (isResult(hash) ? resultPath(results, hash) : blobs.path(hash)),
      missing: async (hashes) => (await blobs.missing(hashes)).filter((hash) => !existsSync(resultPath(results, hash))),
      size: (hash) => blobs.size(hash),
      read: (hash) => blobs.read(hash),
      isShort: () => blobs.isShort(),
      events: blobs.events,
    },
    onDamaged: (hash) => {
      if (!isResult(hash)) return onDamaged(hash)
      try {
        // It is made again when it is asked for.
        unlinkSync(resultPath(results, hash))
      } catch {
        // Somebody else was first.
      }
    },
  }
}
