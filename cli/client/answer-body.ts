import { type ErrorShape, isErrorCode, MakiError } from '../../core/index.ts'

/** The error that an answer says, where it is one of ours. */
export function findErrorShape(text: string): ErrorShape | undefined {
  try {
    const shape = JSON.parse(text) as Partial<ErrorShape> | null
    if (!isErrorCode(shape?.code) || typeof shape.message !== 'string') return undefined
    const { code, message, hint } = shape
    return { code, message, ...(typeof hint === 'string' ? { hint } : {}) }
  } catch {
    // No JSON: somebody else answers there.
  }
  return undefined
}

/** A body, whole. Throws MAKI_TOO_LARGE as soon as it is known to exceed the limit. */
export async function readAll(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > maxBytes) throw new MakiError('MAKI_TOO_LARGE', `the answer has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}
