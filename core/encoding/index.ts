export { decodeBase32, decodeBase32Into, encodeBase32 } from './base32.ts'
export { decodeMessage, encodeCanonical, isCanonical, isEncodingOf } from './codec.ts'
