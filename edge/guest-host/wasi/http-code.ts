import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import type { Answer } from '../../guest-contract/index.ts'

/** Codes that say nothing more. */
const PLAIN = [
  'DNS-timeout',
  'destination-not-found',
  'destination-unavailable',
  'destination-IP-prohibited',
  'destination-IP-unroutable',
  'connection-refused',
  'connection-terminated',
  'connection-timeout',
  'connection-read-timeout',
  'connection-write-timeout',
  'connection-limit-reached',
  'TLS-protocol-error',
  'TLS-certificate-error',
  'HTTP-request-denied',
  'HTTP-request-length-required',
  'HTTP-request-method-invalid',
  'HTTP-request-URI-invalid',
  'HTTP-request-URI-too-long',
  'HTTP-response-incomplete',
  'HTTP-response-timeout',
  'HTTP-upgrade-failed',
  'HTTP-protocol-error',
  'loop-detected',
  'configuration-error',
] as const

/** Codes with something that may be missing. */
const OPTIONAL = [
  'HTTP-request-body-size',
  'HTTP-request-header-section-size',
  'HTTP-request-header-size',
  'HTTP-request-trailer-section-size',
  'HTTP-response-header-section-size',
  'HTTP-response-body-size',
  'HTTP-response-trailer-section-size',
  'HTTP-response-transfer-coding',
  'HTTP-response-content-coding',
  'internal-error',
] as const

/** Codes with a table of what may be missing. */
const TABLES = [
  'DNS-error',
  'TLS-alert-received',
  'HTTP-request-trailer-size',
  'HTTP-response-header-size',
  'HTTP-response-trailer-size',
] as const

const CODES: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ...PLAIN.map((tag) => [tag.toLowerCase(), { tag }] as const),
  ...OPTIONAL.map((tag) => [tag.toLowerCase(), { tag, val: undefined }] as const),
  ...TABLES.map((tag) => [tag.toLowerCase(), { tag, val: {} }] as const),
  ['access-denied', { tag: 'HTTP-request-denied' }],
])

/**
 * What an owner said went wrong, as a code of wasi:http, in whatever case; `access-denied` is `HTTP-request-denied`,
 * and what is no code is an `internal-error`.
 */
export function toHttpCode({ error }: Extract<Answer, { error: string }>): ErrorCode {
  return CODES.get(error.toLowerCase()) ?? { tag: 'internal-error', val: undefined }
}
