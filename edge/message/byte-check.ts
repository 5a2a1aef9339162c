import { createHash } from 'node:crypto'

/** What tells one sequence of bytes from another in entity tags and names: the first 64 bits of their SHA-256, in hexadecimal. */
export function checkOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}
