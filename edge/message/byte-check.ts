import { createHash } from 'node:crypto'

/** What tells one sequence of bytes from another in entity tags and names: the first 64 bits of their SHA-256, in hexadecimal. */
export function checkOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, CHECK_LENGTH)
}

/** As `checkOf`, of bytes that come in pieces. */
export async function checkOfPieces(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  return hash.digest('hex').slice(0, CHECK_LENGTH)
}

const CHECK_LENGTH = 16
