import type { Brand } from '../ids.ts'

/** A public key of WireGuard: an X25519 point (RFC 7748) as `wg` writes it, 44 characters of base64 (RFC 4648 section 4). */
export type WireGuardKey = Brand<string, 'WireGuardKey'>

const KEY_BYTES = 32

/** True for the one way to write 32 bytes. */
export function isWireGuardKey(text: string): text is WireGuardKey {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === KEY_BYTES && bytes.toString('base64') === text
}

/** The 32 bytes of a key. */
export const wireGuardKeyBytes = (key: WireGuardKey): Uint8Array => new Uint8Array(Buffer.from(key, 'base64'))

/** The key of 32 bytes. */
export const formatWireGuardKey = (bytes: Uint8Array): WireGuardKey =>
  Buffer.from(bytes).toString('base64') as WireGuardKey
