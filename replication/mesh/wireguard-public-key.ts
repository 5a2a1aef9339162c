import { createPrivateKey, createPublicKey } from 'node:crypto'
import { formatWireGuardKey, type WireGuardKey } from '../../core/index.ts'

/** What stands before the bytes of a private key of X25519 in PKCS #8 (RFC 8410 section 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** The public half of a private key of WireGuard, 32 bytes: X25519 (RFC 7748). */
export function wireGuardPublicKey(privateKey: Uint8Array): WireGuardKey {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, privateKey]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return formatWireGuardKey(Buffer.from(x as string, 'base64url'))
}
