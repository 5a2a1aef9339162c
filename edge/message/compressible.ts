const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)[^;]*|[^;]+\+(?:json|xml|text)|application\/(?:json5?|javascript|x-javascript|ecmascript|typescript|xml(?:-dtd)?|wasm|rtf|sql|toml|yaml|graphql|x-sh|x-tex|x-latex|x-httpd-php|x-perl|x-ndjson|x-mpegurl|vnd\.apple\.mpegurl|dash\+xml|postscript|x-tar|vnd\.ms-fontobject|x-font-(?:ttf|otf)|x-web-app-manifest\+json)|font\/(?:ttf|otf|collection|sfnt)|image\/(?:bmp|x-ms-bmp|x-icon|vnd\.microsoft\.icon|vnd\.adobe\.photoshop|x-portable-[a-z]+)|model\/(?:gltf-binary|obj|mtl|stl|vrml)|message\/rfc822)(?:;|$)/

/** As many kinds of files as one meets; the bound is against who makes up more. */
const MAX_REMEMBERED = 1000
const remembered = new Map<string, boolean>()

/**
 * Whether bytes of a media type (parameters may follow) usually become smaller: text, formats made of text, uncompressed
 * fonts and bitmaps, WebAssembly. What is compressed in itself (JPEG, WOFF2, MP4, ZIP, PDF) is not touched, as in the Rust Makiatto.
 */
export function isCompressible(contentType: string): boolean {
  const known = remembered.get(contentType)
  if (known !== undefined) return known
  const is = COMPRESSIBLE.test(contentType.toLowerCase())
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(contentType, is)
  return is
}
