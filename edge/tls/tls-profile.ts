import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'

/**
 * What is spoken: TLS 1.3, and 1.2 with forward secrecy and authenticated encryption only (Mozilla's intermediate profile,
 * RFC 9325). No renegotiation, no compression, no early data, which could be replayed: node offers none of them.
 */
export const TLS_PROFILE = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
} as const satisfies SecureContextOptions

/** Has no certificate: with it every handshake ends in a fatal alert (RFC 8446 section 6.2). */
export const bareContext = (): SecureContext => createSecureContext(TLS_PROFILE)

/** With a certificate. Throws what OpenSSL says of a certificate or key that it does not take. */
export function buildContext({ chain, key }: { readonly chain: string; readonly key: string }): SecureContext {
  return createSecureContext({ ...TLS_PROFILE, cert: chain, key })
}
