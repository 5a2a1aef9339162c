import { isFingerprinted } from './fingerprint.ts'

/** Eight characters or more between a dash or dot and the extension. */
const HASH_OR_WORD = /[-.][A-Za-z0-9_-]{8,}(?:\.[A-Za-z]{2,10})?\.[A-Za-z0-9]{2,11}$/
const PAGE = /\.(?:html?|xhtml|xml|rss|atom|pdf|txt|md)$/i

/**
 * True when a name has the form of a fingerprinted one, even if what looks like a hash may be a word: one hash in six reads
 * like one. Good enough to look for a file, not to keep it for ever.
 */
export function mayBeFingerprinted(path: string): boolean {
  if (isFingerprinted(path)) return true
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name.length <= 255 && HASH_OR_WORD.test(name) && !PAGE.test(name)
}
