import { createHash } from 'node:crypto'
import { decodeBase32, encodeBase32 } from './encoding/index.ts'
import { MakiError } from './errors.ts'

declare const brand: unique symbol
/** A string that was checked once, at the border, and is trusted from there on. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** SHA-256 of an operation's signed bytes: 52 characters of lower-case base32 (RFC 4648, no padding). */
export type OperationId = Brand<string, 'OperationId'>
/** The id of the operation that created the cluster. */
export type ClusterId = Brand<string, 'ClusterId'>
/** An Ed25519 public key (RFC 8032): 52 characters of lower-case base32. Names an author, operator or node. */
export type MemberKey = Brand<string, 'MemberKey'>
/** SHA-256 of a blob's bytes: 64 lower-case hexadecimal digits. */
export type BlobHash = Brand<string, 'BlobHash'>

export const ID_BYTES = 32
const BASE32_256_BITS = /^[a-z2-7]{51}[aq]$/

function formatId(bytes: Uint8Array, what: string): string {
  if (bytes.length !== ID_BYTES)
    throw new MakiError('MAKI_INVALID', `${what} has ${bytes.length} bytes, not ${ID_BYTES}`)
  return encodeBase32(bytes)
}

function parseId(text: string, what: string): string {
  if (!BASE32_256_BITS.test(text)) {
    throw new MakiError(
      'MAKI_INVALID',
      `${JSON.stringify(text)} is not ${what}: 52 characters a-z and 2-7 are expected`,
    )
  }
  return text
}

export const isId = (text: string): boolean => BASE32_256_BITS.test(text)
export const parseClusterId = (text: string): ClusterId => parseId(text, 'a cluster id') as ClusterId
export const parseMemberKey = (text: string): MemberKey => parseId(text, 'a public key') as MemberKey
export const operationIdFrom = (bytes: Uint8Array): OperationId => formatId(bytes, 'an operation id') as OperationId
export const memberKeyFrom = (bytes: Uint8Array): MemberKey => formatId(bytes, 'a public key') as MemberKey
export const idBytes = (id: OperationId | ClusterId | MemberKey): Uint8Array => decodeBase32(id)

const HEX_256_BITS = /^[0-9a-f]{64}$/
export const isBlobHash = (text: string): text is BlobHash => HEX_256_BITS.test(text)
export function parseBlobHash(text: string): BlobHash {
  if (!isBlobHash(text)) throw new MakiError('MAKI_INVALID', `${JSON.stringify(text)} is not a SHA-256 in hexadecimal`)
  return text
}
export const hashBlob = (bytes: Uint8Array): BlobHash => createHash('sha256').update(bytes).digest('hex') as BlobHash

/** What people see and type of an id; commands accept any prefix that is unique. */
export const SHORT_ID_LENGTH = 10
export const shortId = (id: string): string => id.slice(0, SHORT_ID_LENGTH)
