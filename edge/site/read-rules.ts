import { type BlobReader, hashBlob, MakiError, type Manifest, RULE_FILES, type RuleFileName } from '../../core/index.ts'
import { MAX_RULE_FILE_BYTES, SiteRules } from '../rules/index.ts'
import type { SiteRelease } from './site-table.ts'

/**
 * Reads the rules of a release; undefined where it has none. Lines that are no rules are left out. Rejects with MAKI_BLOB_MISSING,
 * and with MAKI_BLOB_MISMATCH where a disk altered a file.
 */
export async function readRules(
  blobs: Pick<BlobReader, 'read'>,
  manifest: Manifest,
): Promise<Required<Pick<SiteRelease, 'rules' | 'ruleFaults'>> | undefined> {
  const files: Partial<Record<RuleFileName, Uint8Array>> = {}
  for (const name of RULE_FILES) {
    const file = manifest.find(name)
    if (file === undefined) continue
    // Another version's author may have published anything: what is far too large is not taken into memory to be cut.
    const bytes =
      file.sizeBytes > 4 * MAX_RULE_FILE_BYTES ? new Uint8Array(MAX_RULE_FILE_BYTES + 1) : await blobs.read(file.hash)
    if (file.sizeBytes <= 4 * MAX_RULE_FILE_BYTES && hashBlob(bytes) !== file.hash)
      throw new MakiError('MAKI_BLOB_MISMATCH', `${name} is damaged on this node`)
    files[name] = bytes
  }
  if (files._headers === undefined && files._redirects === undefined) return undefined
  const { rules, faults } = SiteRules.parse(files)
  return { rules, ruleFaults: faults.length }
}
