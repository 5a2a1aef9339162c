import type { IncomingMessage } from 'node:http'
import { type BlobHash, isBlobHash, MakiError } from '../../core/index.ts'
import { CONTROL_LIMITS, type MissingRequest } from './control-api.ts'

/**
 * The body as it arrives, never more of it in memory than the socket's buffer. Whoever stops early leaves the
 * connection open, so that the answer still reaches the client; a client that leaves makes it throw.
 */
export function streamBody(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
}

/** A small body, whole. Throws MAKI_TOO_LARGE as soon as it is known to exceed the limit. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of streamBody(request)) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads the body of POST /v1/blobs/missing. Throws MAKI_INVALID. */
export function parseMissingRequest(bytes: Uint8Array): MissingRequest {
  let input: unknown
  try {
    input = JSON.parse(utf8.decode(bytes))
  } catch (cause) {
    throw new MakiError('MAKI_INVALID', 'the body is not JSON', { cause })
  }
  const hashes = typeof input === 'object' && input !== null && 'hashes' in input ? input.hashes : undefined
  if (!Array.isArray(hashes)) throw new MakiError('MAKI_INVALID', 'the body is not an object with an array of hashes')
  if (hashes.length > CONTROL_LIMITS.missingHashes) {
    const limit = CONTROL_LIMITS.missingHashes
    throw new MakiError('MAKI_TOO_LARGE', `the list has ${hashes.length} hashes, ${limit} are allowed`, {
      hint: 'Ask in several requests.',
    })
  }
  const wrong = hashes.findIndex((hash) => typeof hash !== 'string' || !isBlobHash(hash))
  if (wrong !== -1) throw new MakiError('MAKI_INVALID', `hash ${wrong} is not a SHA-256 in hexadecimal`)
  return { hashes: hashes as BlobHash[] }
}

function tooLarge(maxBytes: number): MakiError {
  return new MakiError('MAKI_TOO_LARGE', `the body has more than ${maxBytes} bytes`, {
    hint: 'Send it in several requests.',
  })
}
