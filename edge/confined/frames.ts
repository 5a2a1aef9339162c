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
/** Brackets, commas and colons of one header: what it costs to read grows with them far more than with its bytes. */
const MAX_HEADER_PARTS = 8192
const LONG_BYTES = 1024 * 1024
const NOTHING = Buffer.alloc(0)

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
  /** A long frame is put together while it comes, and not at once when it is there. */
  #long: Buffer | undefined

  constructor(maxBodyBytes: number, maxHeaderBytes: number = MAX_HEADER_BYTES) {
    this.#maxBodyBytes = maxBodyBytes
    this.#maxHeaderBytes = maxHeaderBytes
  }

  /** Throws a RangeError or a SyntaxError for what is no frame; nothing more may be pushed then. */
  *push(piece: Buffer): Generator<Frame> {
    this.#add(piece)
    while (this.#length >= this.#wanted) {
      const bytes = this.#gather()
      const headerBytes = bytes.readUInt32BE(0)
      const bodyBytes = bytes.readUInt32BE(4)
      if (headerBytes > this.#maxHeaderBytes || bodyBytes > this.#maxBodyBytes)
        throw new RangeError(`a frame of ${headerBytes} and ${bodyBytes} bytes is too long`)
      const start = PREFIX_BYTES + headerBytes
      this.#wanted = start + bodyBytes
      if (bytes.length < this.#wanted) {
        if (this.#wanted > LONG_BYTES) this.#begin(bytes)
        return
      }
      if (headerBytes > MAX_HEADER_PARTS) boundParts(bytes.subarray(PREFIX_BYTES, start))
      const header: unknown = JSON.parse(bytes.toString('utf8', PREFIX_BYTES, start))
      const body = bytes.subarray(start, this.#wanted)
      const rest = this.#long === undefined ? bytes.subarray(this.#wanted) : (this.#pieces[0] ?? NOTHING)
      this.#long = undefined
      this.#pieces = rest.length === 0 ? [] : [rest]
      this.#length = rest.length
      this.#wanted = PREFIX_BYTES
      yield { header, body }
    }
  }

  #add(piece: Buffer): void {
    const copied = this.#long === undefined ? 0 : piece.copy(this.#long, this.#length)
    this.#length += piece.length
    if (copied < piece.length) this.#pieces.push(copied === 0 ? piece : piece.subarray(copied))
  }

  /** All that is there, or a long frame alone. */
  #gather(): Buffer {
    if (this.#long !== undefined) return this.#long
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#length)
    this.#pieces = [bytes]
    return bytes
  }

  #begin(bytes: Buffer): void {
    this.#long = Buffer.allocUnsafeSlow(this.#wanted)
    bytes.copy(this.#long)
    this.#pieces = []
  }
}

/** Throws a RangeError for JSON of too many parts. What is no JSON may be taken for more or less than it is. */
function boundParts(json: Uint8Array): void {
  let parts = 0
  let isInText = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === QUOTE) isInText = !isInText
    else if (!isInText) parts += PARTS[byte as number] as number
    else if (byte === BACKSLASH) i++
  }
  if (parts > MAX_HEADER_PARTS) throw new RangeError(`a header of ${parts} parts is too long`)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const PARTS = Uint8Array.from({ length: 256 }, (_, byte) => ('[{,:'.includes(String.fromCharCode(byte)) ? 1 : 0))
