/** What a visitor typed. */
export interface BasicCredentials {
  readonly user: string
  readonly password: string
}

const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i
/** Far more than anybody types; hashing what is longer would be work for nothing. */
const MAX_LENGTH = 1024
const CONTROL = /\p{Cc}/u
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * User and password of an Authorization header (RFC 7617): UTF-8 in its composed form, so that two ways to type an accent
 * are one. Undefined for another scheme, and for what is none.
 */
export function findBasicCredentials(field: string): BasicCredentials | undefined {
  if (field.length > MAX_LENGTH) return undefined
  const encoded = BASIC.exec(field)?.[1]
  if (encoded === undefined) return undefined
  let text: string
  try {
    text = utf8.decode(Buffer.from(encoded, 'base64')).normalize('NFC')
  } catch {
    return undefined
  }
  const colon = text.indexOf(':')
  if (colon === -1 || CONTROL.test(text)) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}
