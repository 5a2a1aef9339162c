import type { OperationId } from '../ids.ts'
import type { Hostname } from '../names.ts'

/** What the host of a preview says: which release of which domain. */
export interface PreviewHost {
  /** The beginning of a release's id, 26 to 52 characters of base32: at least 128 bits, so it begins no other id. */
  readonly idPrefix: string
  /** What follows the label; whether it is a domain is not known yet. */
  readonly apex: string
}

const MARK = '--preview.'
/** 26 characters of five bits: nobody finds two ids that begin alike, and nobody guesses one. */
const LEAST_ID_LENGTH = 26
const ID_LENGTH = 52
const ID_PREFIX = /^[a-z2-7]+$/

/** Reads `<release>--preview.<apex>`, in lower case; undefined for any other name. Pure. */
export function findPreviewHost(host: string): PreviewHost | undefined {
  const mark = host.indexOf(MARK)
  if (mark < LEAST_ID_LENGTH || mark > ID_LENGTH) return undefined
  const idPrefix = host.slice(0, mark)
  const apex = host.slice(mark + MARK.length)
  return apex !== '' && ID_PREFIX.test(idPrefix) ? { idPrefix, apex } : undefined
}

/** The shortest host at which a release can be seen while, before or after it is live. */
export const previewHost = (release: OperationId, apex: Hostname): string =>
  `${release.slice(0, LEAST_ID_LENGTH)}${MARK}${apex}`
