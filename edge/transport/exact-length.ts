import { MakiError } from '../../core/index.ts'

/**
 * A pipeline step that passes bytes on and throws MAKI_STORE_DAMAGED unless they are exactly `lengthBytes`: a body of
 * another length than its head said would be read as the head of the next answer.
 */
export function exactly(lengthBytes: number, what: string, passed: (bytes: number) => void = () => {}) {
  return async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let seen = 0
    for await (const chunk of chunks) {
      seen += chunk.length
      if (seen > lengthBytes) break
      passed(chunk.length)
      yield chunk
    }
    if (seen !== lengthBytes) throw wrongLength(what, lengthBytes)
  }
}

export function wrongLength(what: string, lengthBytes: number): MakiError {
  return new MakiError('MAKI_STORE_DAMAGED', `${what} does not have the ${lengthBytes} bytes that it should have`)
}
