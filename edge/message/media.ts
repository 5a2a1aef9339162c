import mime from 'mime'
import { isFingerprinted } from './fingerprint.ts'

/** Headers that follow from a file's name alone. */
export interface MediaHeaders {
  readonly contentType: string
  readonly cacheControl: string
}

const MINUTE_S = 60
const HOUR_S = 60 * MINUTE_S
const DAY_S = 24 * HOUR_S

/** As in the Rust Makiatto; what has no entry is kept for an hour, and HTML is asked for again each time. */
const MAX_AGE_S: Readonly<Record<string, number>> = {
  css: DAY_S,
  js: DAY_S,
  mjs: DAY_S,
  pdf: HOUR_S,
  doc: HOUR_S,
  docx: HOUR_S,
  xml: 30 * MINUTE_S,
  rss: 30 * MINUTE_S,
  atom: 30 * MINUTE_S,
}

const LONG_LIVED = /^(image|font|video)\//
const TEXT =
  /^(text\/.*|application\/(javascript|json|xml|xhtml\+xml|manifest\+json|ld\+json|rss\+xml|atom\+xml)|image\/svg\+xml)$/

/** Extensions come from manifests, which publishers write; the bound is against one that holds millions. */
const CACHED_EXTENSIONS = 1000
const cache = new Map<string, { readonly named: MediaHeaders; readonly fingerprinted: MediaHeaders }>()

/** A year, which browsers take for ever, and no question even when the page is reloaded (RFC 8246). */
const FOR_EVER = 'public, max-age=31536000, immutable'

/** By extension, a name without a known one is `application/octet-stream`; a fingerprinted file is kept for ever. */
export function mediaHeaders(path: string): MediaHeaders {
  const { named, fingerprinted } = byExtension(path)
  return isFingerprinted(path) ? fingerprinted : named
}

/** type "/" subtype *( ";" parameter ) (RFC 9110 section 8.3.1), its values in ASCII. */
const MEDIA_TYPE =
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[\t ]*;[\t ]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))*$/
const MAX_TYPE_CHARS = 200

/** A media type that somebody else gave, as Content-Type says it: text without a charset is UTF-8. Undefined for what is none. */
export function findMediaType(given: string): string | undefined {
  const type = given.trim()
  if (type.length > MAX_TYPE_CHARS || !MEDIA_TYPE.test(type)) return undefined
  const isUnsaid = TEXT.test(withoutParameters(type)) && !/;[\t ]*charset=/i.test(type)
  return isUnsaid ? `${type}; charset=utf-8` : type
}

/** `text/html` of `text/html; charset=utf-8`, in lower case. */
export function withoutParameters(mediaType: string): string {
  return (mediaType.split(';')[0] as string).trim().toLowerCase()
}

function byExtension(path: string) {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const dot = name.lastIndexOf('.')
  const extension = dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
  const known = cache.get(extension)
  if (known !== undefined) return known
  const named = buildMediaHeaders(extension)
  const built = { named, fingerprinted: { ...named, cacheControl: FOR_EVER } }
  if (cache.size >= CACHED_EXTENSIONS) cache.clear()
  cache.set(extension, built)
  return built
}

function buildMediaHeaders(extension: string): MediaHeaders {
  // With the dot: the library takes a bare word for an extension, and a file may be named `json`.
  const type = (extension === '' ? null : mime.getType(`.${extension}`)) ?? 'application/octet-stream'
  return {
    contentType: TEXT.test(type) ? `${type}; charset=utf-8` : type,
    cacheControl: type === 'text/html' ? 'no-cache' : `public, max-age=${maxAgeS(extension, type)}`,
  }
}

function maxAgeS(extension: string, type: string): number {
  const known = Object.hasOwn(MAX_AGE_S, extension) ? MAX_AGE_S[extension] : undefined
  if (known !== undefined) return known
  return LONG_LIVED.test(type) ? 30 * DAY_S : HOUR_S
}
