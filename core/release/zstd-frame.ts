/** Magic number of a Zstandard frame, little-endian (RFC 8878 section 3.1.1). */
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd]
/** Content size in 8 bytes, a window descriptor, no checksum, no dictionary (section 3.1.1.1.1). */
const DESCRIPTOR = 0xc0
/** A window of 1 MiB: exponent 10, mantissa 0 (section 3.1.1.1.2). */
const WINDOW = 0x50
const HEADER_BYTES = MAGIC.length + 2 + 8
/** The largest block there is (section 3.1.1.2.4). */
const BLOCK_BYTES = 128 * 1024
const BLOCK_HEADER_BYTES = 3

/**
 * A Zstandard frame that holds the content as it is, in raw blocks: any decoder reads it, and it has the same bytes
 * whatever version of a compressor is at hand. For what several machines have to make alike without sending it.
 */
export function frameRaw(content: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(content.length / BLOCK_BYTES))
  const frame = Buffer.alloc(HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + content.length)
  frame.set([...MAGIC, DESCRIPTOR, WINDOW])
  frame.writeBigUInt64LE(BigInt(content.length), MAGIC.length + 2)
  let at = HEADER_BYTES
  for (let block = 0; block < blocks; block++) {
    const part = content.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    const isLast = block === blocks - 1
    // Last block in bit 0, type (0: raw) in bits 1 and 2, size above.
    frame.writeUIntLE((part.length << 3) | (isLast ? 1 : 0), at, BLOCK_HEADER_BYTES)
    frame.set(part, at + BLOCK_HEADER_BYTES)
    at += BLOCK_HEADER_BYTES + part.length
  }
  return new Uint8Array(frame)
}
