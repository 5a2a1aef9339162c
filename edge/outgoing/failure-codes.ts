import type { Resolution } from './name-resolver.ts'

/** A failure of a connection as a code of wasi:sockets. */
export function toSocketCode(error: unknown): string {
  return SOCKET_CODES[codeOf(error)] ?? 'unknown'
}

const SOCKET_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-reset',
  EPIPE: 'connection-reset',
  ECONNABORTED: 'connection-aborted',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'remote-unreachable',
  ENETUNREACH: 'remote-unreachable',
  EADDRNOTAVAIL: 'remote-unreachable',
  EAFNOSUPPORT: 'remote-unreachable',
  EACCES: 'remote-unreachable',
  EPERM: 'remote-unreachable',
  EMFILE: 'new-socket-limit',
  ENFILE: 'new-socket-limit',
}

/** A failure of a request as a code of wasi:http, in lower case. `at`: how far the request had come. */
export function toRequestCode(error: unknown, at: 'connecting' | 'securing' | 'sent' | 'answered'): string {
  const code = codeOf(error)
  if (code === 'HPE_HEADER_OVERFLOW') return 'http-response-header-section-size'
  if (code.startsWith('HPE_')) return 'http-protocol-error'
  const known = REQUEST_CODES[code]
  switch (at) {
    case 'connecting':
      return known ?? 'destination-unavailable'
    case 'securing':
      return code === 'ERR_TLS_CERT_ALTNAME_INVALID' || CERTIFICATE.test(code)
        ? 'tls-certificate-error'
        : (known ?? 'tls-protocol-error')
    case 'sent':
      return known ?? 'internal-error'
    case 'answered':
      return 'http-response-incomplete'
    default:
      return at satisfies never
  }
}

const REQUEST_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection-refused',
  ECONNRESET: 'connection-terminated',
  EPIPE: 'connection-terminated',
  ECONNABORTED: 'connection-terminated',
  ETIMEDOUT: 'connection-timeout',
  EHOSTUNREACH: 'destination-ip-unroutable',
  ENETUNREACH: 'destination-ip-unroutable',
  EADDRNOTAVAIL: 'destination-ip-unroutable',
  EMFILE: 'connection-limit-reached',
  ENFILE: 'connection-limit-reached',
}

/** What OpenSSL says of chains that it does not believe, as Node has it. */
const CERTIFICATE = /CERT|^UNABLE_TO_|^CRL_|^INVALID_(?:CA|PURPOSE)|^PATH_LENGTH|^HOSTNAME_MISMATCH/

/** Of a name without an address. */
export function toLookupCode({ kind }: Resolution): { readonly socket: string; readonly request: string } {
  switch (kind) {
    case 'addresses':
    case 'none':
      return { socket: 'name-unresolvable', request: 'dns-error' }
    case 'failed':
      return { socket: 'permanent-resolver-failure', request: 'dns-error' }
    case 'timeout':
      return { socket: 'temporary-resolver-failure', request: 'dns-timeout' }
    default:
      return kind satisfies never
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
