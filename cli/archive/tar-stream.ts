import { readTarHeader } from './tar.ts'

const BLOCK = 512

/** A file of an archive that is read as it comes: its chunks are to be read, or left, before the next one is asked for. */
export interface StreamedFile {
  readonly path: string
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * The plain files of an archive (ustar), one after the other, in bounded memory whatever it says. Throws for what is no archive, ends in
 * the middle, or has anything that is no plain file: links, devices, folders.
 */
export async function* readTarStream(source: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedFile, void, void> {
  const reader = new ByteReader(source)
  for (;;) {
    const header = readTarHeader(await reader.exactly(BLOCK))
    if (header === undefined) return
    const { path, sizeBytes, type } = header
    if (type !== '0') throw new Error(`it has what is no plain file: ${JSON.stringify(path.slice(0, 200))}`)
    const state = { leftBytes: sizeBytes }
    yield { path, sizeBytes, chunks: reader.take(state) }
    // What nobody wanted is passed over.
    for await (const _ of reader.take(state));
    await reader.exactly((BLOCK - (sizeBytes % BLOCK)) % BLOCK)
  }
}

class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async exactly(bytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = []
    for await (const part of this.take({ leftBytes: bytes })) parts.push(part)
    return Buffer.concat(parts, bytes)
  }

  async *take(state: { leftBytes: number }): AsyncGenerator<Uint8Array> {
    while (state.leftBytes > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next()
        if (next.done === true) throw new Error('it ends in the middle')
        this.#rest = next.value
        continue
      }
      const part = this.#rest.subarray(0, state.leftBytes)
      this.#rest = this.#rest.subarray(part.length)
      state.leftBytes -= part.length
      yield part
    }
  }
}
