import { buildField, type Field } from './field.ts'
import { CODE, ConnectionFault } from './frames.ts'
import { DynamicTable } from './hpack-table.ts'
import { decodeHuffman } from './huffman.ts'

/** Node has it, and its types have not: a text of bytes without looking up the name of an encoding. */
type Latin1Bytes = Buffer & { latin1Slice(start: number, end: number): string }

/** More than any block has; further bytes of an integer are an attack. */
const MAX_SHIFT = 21

// One for all: it is read before the next text is decoded.
let scratch = Buffer.allocUnsafeSlow(4096) as Latin1Bytes

/** Takes the lines of a block. */
export interface FieldSink {
  add(field: Field): void
}

/** Reads blocks of fields, which say what they mean by what was in blocks before (RFC 7541). */
export class HpackDecoder {
  readonly #table = new DynamicTable()
  #bytes = scratch
  #at = 0
  #end = 0

  /**
   * Gives the lines of a block one after another. Throws a ConnectionFault with COMPRESSION_ERROR for what is no block, after
   * which nothing more can be read.
   */
  decode(bytes: Buffer, start: number, end: number, into: FieldSink): void {
    this.#bytes = bytes as Latin1Bytes
    this.#at = start
    this.#end = end
    let mayResize = true
    while (this.#at < end) {
      const byte = bytes[this.#at] as number
      if ((byte & 0xe0) === 0x20) {
        if (!mayResize || !this.#table.resize(this.#integer(31))) throw fault('the size of the table')
        continue
      }
      mayResize = false
      if (byte >= 0x80) into.add(this.#lookUp(this.#integer(127)))
      else if (byte >= 0x40) {
        const field = this.#literal(63)
        this.#table.add(field)
        into.add(field)
      } else into.add(this.#literal(15))
    }
    this.#bytes = scratch
  }

  #lookUp(index: number): Field {
    const field = this.#table.find(index)
    if (field === undefined) throw fault('an index beyond the tables')
    return field
  }

  /** A line that is spelled out, its name perhaps by an index. */
  #literal(most: number): Field {
    const index = this.#integer(most)
    const name = index === 0 ? this.#text() : this.#lookUp(index).name
    return buildField(name, this.#text())
  }

  #text(): string {
    if (this.#at >= this.#end) throw fault('a text that is not there')
    const isCoded = (this.#bytes[this.#at] as number) >= 0x80
    const length = this.#integer(127)
    const start = this.#at
    const end = start + length
    if (end > this.#end) throw fault('a text longer than its block')
    this.#at = end
    if (!isCoded) return this.#bytes.latin1Slice(start, end)
    // No code is shorter than five bits.
    if (scratch.length < 2 * length) scratch = Buffer.allocUnsafeSlow(2 * length) as Latin1Bytes
    const decoded = decodeHuffman(this.#bytes, start, end, scratch)
    if (decoded < 0) throw fault('what is no Huffman code')
    return scratch.latin1Slice(0, decoded)
  }

  /** RFC 7541 section 5.1; `most` is the prefix with all bits set. */
  #integer(most: number): number {
    const prefix = (this.#bytes[this.#at++] as number) & most
    if (prefix < most) return prefix
    let value = most
    for (let shift = 0; shift <= MAX_SHIFT; shift += 7) {
      if (this.#at >= this.#end) throw fault('an integer without end')
      const byte = this.#bytes[this.#at++] as number
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
    throw fault('a large integer')
  }
}

const fault = (what: string): ConnectionFault => new ConnectionFault(CODE.compression, `HPACK: ${what}`)
