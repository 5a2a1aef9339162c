/**
 * Folders whose tools promise that every file in them is named after its content, and whose own hosts serve them so:
 * Next, Nuxt, Astro, SvelteKit.
 */
const IMMUTABLE_FOLDER = /(?:^|\/)(?:_next\/static|_nuxt|_astro|_app\/immutable)\//
/** Files there that are asked for by a fixed name. */
const FIXED_NAME = /(?:^|\/)_nuxt\/builds\/latest\.json$/

/** Pages and feeds are asked for by name, whatever the name is. */
const NEVER = /\.(?:html?|xhtml|xml|rss|atom|pdf|txt|md)$/i
/** What stands behind the hash: `main.8e0d62a1.chunk.js.map`, `main.8e0d62a1.js.LICENSE.txt`. */
const SUFFIXES =
  /(?:\.(?:min|chunk|bundle|module|worker|async|esm|LICENSE))?\.[A-Za-z0-9]{2,11}(?:\.(?:map|LICENSE\.txt|gz|br|zst))?$/
/** What bundlers write, and people seldom name after cameras and products. */
const CODE = /\.(?:m?js|css|wasm)(?:\.|$)/
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i
const DATE = /^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])/

/** webpack, Parcel, Angular, Next, Gatsby, Hugo, Rails, Django, Phoenix, Vite and Rollup before 2023. */
const HEX = /(?:^|[-.])((?:[0-9a-f]{2}){4,64})$/
/** Rollup 4, Vite 5, Astro: eight characters of base64url, which may hold a dash themselves. */
const BASE64URL = /[-.]([A-Za-z0-9_-]{8})$/
/** esbuild, and what builds with it (Angular, Remix, tsup). */
const BASE32 = /[-.]([A-Z2-7]{8})$/
const ESBUILD_CHUNK = /^chunk-[A-Z2-7]{8}$/

/**
 * True when the name of a file carries a hash of its content, so that other content would have another name and the file
 * may be kept for ever. A guess, and a careful one: what merely might be a word, a date, a version, a camera's or a UUID's
 * name is none. So a hash of eight characters that happens to read like a word is missed (one in six of base64url, one in ten of
 * hex); its file is kept no longer than others of its kind.
 */
export function isFingerprinted(path: string): boolean {
  if (NEVER.test(path) && !path.endsWith('.LICENSE.txt')) return false
  if (IMMUTABLE_FOLDER.test(path)) return !FIXED_NAME.test(path)
  const name = path.slice(path.lastIndexOf('/') + 1)
  const suffixes = SUFFIXES.exec(name)
  if (suffixes === null || name.length > 255) return false
  const stem = name.slice(0, suffixes.index)
  const hex = HEX.exec(stem)?.[1]
  if (hex !== undefined && isHexHash(hex)) return !UUID.test(stem)
  if (ESBUILD_CHUNK.test(stem)) return true
  const upper = BASE32.exec(stem)?.[1]
  const isCode = CODE.test(suffixes[0])
  if (upper !== undefined) return (isCode || /[2-7]/.test(upper)) && isRandom(upper, isCode)
  const mixed = BASE64URL.exec(stem)?.[1]
  return mixed !== undefined && /[a-z]/.test(mixed) && /[A-Z]/.test(mixed) && isRandom(mixed, isCode)
}

function isHexHash(text: string): boolean {
  if (!/[0-9]/.test(text) || !/[a-f]/.test(text)) return false
  return text.length >= 16 || (countChanges(text) >= 2 && !DATE.test(text))
}

/** `Base64Js`, `YouTube2`. */
const WORDS_AND_NUMBER = /^[A-Za-z]+[0-9]+(?:[A-Z][a-z]*)?$/

/** By changes between lower case, upper case, digits and the rest: words and numbers put together have few. */
function isRandom(text: string, isCode: boolean): boolean {
  const changes = countChanges(text)
  if (changes >= 5 || (changes === 4 && isCode && !WORDS_AND_NUMBER.test(text))) return true
  return changes >= (isCode ? 0 : 2) && pieces(text).some((piece) => !couldBeWord(piece.toLowerCase()))
}

function countChanges(text: string): number {
  let changes = 0
  for (let i = 1; i < text.length; i++) if (kindOf(text[i] as string) !== kindOf(text[i - 1] as string)) changes++
  return changes
}

function kindOf(c: string): number {
  return c >= 'a' && c <= 'z' ? 0 : c >= 'A' && c <= 'Z' ? 1 : c >= '0' && c <= '9' ? 2 : 3
}

/** `DataGrid2` is Data and Grid; letters all in upper case among lower ones may be an acronym, and prove nothing. */
function pieces(text: string): string[] {
  const found = text.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []
  return /[a-z]/.test(text) ? found.filter((piece) => /[a-z]/.test(piece)) : found
}

const ONSET =
  /^(?:[^aeiouy]?|[bcfgkps]l|[bcdfgkptw]r|[cgpstw]h|[dst]w|[gk]n|s[ckmnpqt]|ps|qu|rh|sch|shr|s[cpt]r|spl|squ|thr|chr|phr|phl)[aeiouy]/

/** Too short to tell, or as English words are: it has vowels, begins as words do, and no four consonants in a row. */
function couldBeWord(piece: string): boolean {
  return piece.length < 3 || (ONSET.test(piece) && !/[^aeiouy]{4}/.test(piece))
}
