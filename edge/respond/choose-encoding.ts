import type { BlobHash } from '../../core/index.ts'
import { addVary, type Coding, isCompressible, matchesWeakly, rankCodings } from '../message/index.ts'
import type { HeaderFields } from './plan.ts'
import { mediaOf, type ServedFile } from './served-file.ts'
import type { SiteRequest } from './site-request.ts'
import type { Variant, Variants } from './variants.ts'

/** The sequence of bytes that stands for a file in an answer (RFC 9110 section 8). */
export interface Representation {
  /** Strong: equal tags are equal bytes, on all nodes. */
  readonly etag: string
  readonly sizeBytes: number
  /** Undefined: the blob as it is. */
  readonly variant: Variant | undefined
  /** The file may have others; these differ by Accept-Encoding. */
  readonly isNegotiated: boolean
  /** Of every answer about the file, 304 too. */
  readonly headers: HeaderFields
  /** Beside Content-Type, where there is content or HEAD asks about it. */
  readonly contentHeaders: HeaderFields
}

/** Below it the head outweighs what would be saved. */
const MIN_ENCODED_BYTES = 1024
/** What the encoder holds in memory at once. */
const MAX_ENCODED_BYTES = 32 * 1024 * 1024

/** Whether there may ever be encodings of a file, by its type and size. */
export function mayBeEncoded(file: Pick<ServedFile, 'path' | 'sizeBytes' | 'made'>): boolean {
  const { sizeBytes } = file
  return sizeBytes >= MIN_ENCODED_BYTES && sizeBytes <= MAX_ENCODED_BYTES && isCompressible(mediaOf(file).contentType)
}

/**
 * Chooses by Accept-Encoding among what lies ready (RFC 9110 section 12.5.3); identity until something does, and where the
 * client refuses all that there is. A part of a file is a part of the file itself, since the client cannot know of what
 * else; unless If-Range names an encoding that still lies here, which is then gone on with.
 */
export function chooseRepresentation(
  request: SiteRequest,
  file: ServedFile,
  base: HeaderFields,
  variants: Variants | undefined,
): Representation {
  if (variants === undefined || !mayBeEncoded(file)) return identityOf(file, base, false)
  const headers = { ...base, vary: addVary(base.vary, 'accept-encoding') }
  const rank = rankCodings(request.field('accept-encoding'))
  if (request.method === 'GET' && request.field('range') !== undefined) {
    const ifRange = request.field('if-range')?.trim()
    const begun = ifRange === undefined ? undefined : findNamed(ifRange, file.hash, rank, variants)
    if (begun !== undefined) return encodingOf(file.hash, begun, headers)
    if (ifRange === undefined || ifRange === identityTag(file.hash)) return identityOf(file, headers)
  }
  for (const coding of rank) {
    if (coding === 'identity') break
    const variant = variants.find(file.hash, coding)
    if (variant !== undefined) return encodingOf(file.hash, variant, headers)
  }
  return identityOf(file, headers)
}

/**
 * The entity tag that a 304 gives back: of the chosen representation where If-None-Match names it, or else of another one
 * of the same file that this client takes. Its bytes need not be here: which representation an answer is about is ours to
 * choose, and the client says that it has this one. So a client that came from a node with other encodings, or before they
 * were made, keeps what it has.
 */
export function findKnownTag(
  ifNoneMatch: string,
  request: SiteRequest,
  file: ServedFile,
  chosen: Representation,
): string | undefined {
  if (matchesWeakly(ifNoneMatch, chosen.etag)) return chosen.etag
  if (!ifNoneMatch.includes(file.hash) || !chosen.isNegotiated) return undefined
  for (const coding of rankCodings(request.field('accept-encoding'))) {
    if (coding !== 'identity') {
      const tag = new RegExp(`"${file.hash}-${coding}-[0-9a-f]{16}"`).exec(ifNoneMatch)?.[0]
      if (tag !== undefined) return tag
    } else if (matchesWeakly(ifNoneMatch, identityTag(file.hash))) return identityTag(file.hash)
  }
  return undefined
}

const identityTag = (hash: BlobHash): string => `"${hash}"`
const variantTag = (hash: BlobHash, { coding, check }: Variant): string => `"${hash}-${coding}-${check}"`

function identityOf(file: ServedFile, headers: HeaderFields, isNegotiated = true): Representation {
  return {
    etag: identityTag(file.hash),
    sizeBytes: file.sizeBytes,
    variant: undefined,
    isNegotiated,
    headers,
    contentHeaders: {},
  }
}

function encodingOf(hash: BlobHash, variant: Variant, headers: HeaderFields): Representation {
  return {
    etag: variantTag(hash, variant),
    sizeBytes: variant.sizeBytes,
    variant,
    isNegotiated: true,
    headers,
    contentHeaders: { 'content-encoding': variant.coding },
  }
}

function findNamed(
  tag: string,
  hash: BlobHash,
  rank: readonly (Coding | 'identity')[],
  variants: Variants,
): Variant | undefined {
  for (const coding of rank) {
    const variant = coding === 'identity' ? undefined : variants.find(hash, coding)
    if (variant !== undefined && variantTag(hash, variant) === tag) return variant
  }
  return undefined
}
