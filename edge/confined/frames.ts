/**
 * How a confined process and its owner speak, over its standard input and output: 4 bytes length of the
 * header, 4 bytes length of the body (big-endian), the header as JSON in UTF-8, the body.
 */
export interface Frame {
  readonly header: unknown
  readonly body: Buffer
}

const PREFIX_BYTES = 8
const MAX_HEADER_BYTES = 4096

/** The bytes before a body. */
export function encodeHead(header: unknown, bodyBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(json.length, 0)
  prefix.writeUInt32BE(bodyBytes, 4)
  return Buffer.concat([prefix, json])
}

/** Takes bytes in any pieces and gives whole frames. Holds no more than one frame of `maxBodyBytes`. */
export class FrameReader {
  readonly #maxBodyBytes: number
  readonly #maxHeaderBytes: number
  #pieces: Buffer[] = []
  #length = 0
  #wanted = PREFIX_BYTES

  constructor(maxBodyBytes: number, maxHeaderBytes: number = MAX_HEADER_BYTES) {
    this.#maxBodyBytes = maxBodyBytes
    this.#maxHeaderBytes = maxHeaderBytes
  }

  /** Throws a RangeError or a SyntaxError for what is no frame; nothing more may be pushed then. */
  *push(piece: Buffer): Generator<Frame> {
    this.#pieces.push(piece)
    this.#length += piece.length
    while (this.#length >= this.#wanted) {
      const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length)
      this.#pieces = [bytes]
      const headerBytes = bytes.readUInt32BE(0)
      const bodyBytes = bytes.readUInt32BE(4)
      if (headerBytes > this.#maxHeaderBytes || bodyBytes > this.#maxBodyBytes)
        throw new RangeError(`a frame of ${headerBytes} and ${bodyBytes} bytes is too long`)
      const start = PREFIX_BYTES + headerBytes
      this.#wanted = start + bodyBytes
      if (bytes.length < this.#wanted) return
      const header: unknown = JSON.parse(bytes.toString('utf8', PREFIX_BYTES, start))
      const body = bytes.subarray(start, this.#wanted)
      const rest = bytes.subarray(this.#wanted)
      this.#pieces = rest.length === 0 ? [] : [rest]
      this.#length = rest.length
      this.#wanted = PREFIX_BYTES
      yield { header, body }
    }
  }
}
