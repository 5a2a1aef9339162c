import { deflateSync } from 'node:zlib'
import sharp from 'sharp'

/** Four fields of plain colour, left to right and top to bottom: red, green, blue, white. */
export async function makeQuarters(width: number, height: number): Promise<Buffer> {
  const [left, top] = [Math.floor(width / 2), Math.floor(height / 2)]
  const field = (w: number, h: number, background: string) => ({
    create: { width: w, height: h, channels: 3 as const, background },
  })
  return await sharp({ create: { width, height, channels: 3, background: '#fff' } })
    .composite([
      { input: field(left, top, '#f00'), left: 0, top: 0 },
      { input: field(width - left, top, '#0f0'), left, top: 0 },
      { input: field(left, height - top, '#00f'), left: 0, top },
    ])
    .removeAlpha()
    .png()
    .toBuffer()
}

/** Something like a photograph: compresses as one does. */
export async function makePhoto(width: number, height: number, channels: 3 | 4 = 3): Promise<Buffer> {
  return await sharp({
    create: { width, height, channels, background: '#888', noise: { type: 'gaussian', mean: 128, sigma: 40 } },
  })
    .blur(2)
    .png({ compressionLevel: 1 })
    .toBuffer()
}

/** The colour in the middle of each quarter, as `rgb` digits: 0, 3, 6, 9, c or f. */
export async function readQuarters(image: Uint8Array): Promise<string[]> {
  const { data, info } = await sharp(image)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const at = (x: number, y: number) => {
    const start = (Math.floor(info.height * y) * info.width + Math.floor(info.width * x)) * info.channels
    return [...data.subarray(start, start + 3)].map((value) => (3 * Math.round(value / 51)).toString(16)).join('')
  }
  return [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)]
}

/** A GIF of frames of one colour each; made by hand, so that there may be any number of them. */
export function makeGif(width: number, height: number, frames: number, delayCs = 10): Buffer {
  const screen = Buffer.from([width & 255, width >> 8, height & 255, height >> 8, 0x80, 0, 0])
  const colours = Buffer.from([255, 0, 0, 0, 0, 255])
  const loop = Buffer.from('\x21\xff\x0bNETSCAPE2.0\x03\x01\x03\x00\x00', 'latin1')
  const parts: Uint8Array[] = [Buffer.from('GIF89a'), screen, colours, loop]
  for (let i = 0; i < frames; i++) {
    parts.push(Buffer.from([0x21, 0xf9, 4, 4, delayCs & 255, delayCs >> 8, 0, 0]))
    parts.push(Buffer.from([0x2c, 0, 0, 0, 0, width & 255, width >> 8, height & 255, height >> 8, 0]))
    parts.push(lzw(width * height, i % 2))
  }
  return Buffer.concat([...parts, Buffer.from([0x3b])])
}

/** Pixels of one colour by GIF's LZW with codes of three bits that are cleared before they would grow. */
function lzw(pixels: number, colour: number): Buffer {
  const bits: number[] = []
  const put = (code: number) => bits.push(code & 1, (code >> 1) & 1, (code >> 2) & 1)
  for (let i = 0; i < pixels; i++) {
    if (i % 2 === 0) put(4)
    put(colour)
  }
  put(5)
  const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, at) => byte | (bit << at), 0),
  )
  const blocks: number[] = [2]
  for (let i = 0; i < bytes.length; i += 255) {
    const block = bytes.slice(i, i + 255)
    blocks.push(block.length, ...block)
  }
  return Buffer.from([...blocks, 0])
}

/** A PNG that says it has so many pixels, with as much of its data as `rows` rows need. */
export function makePngBomb(width: number, height: number, rows: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 0, 0, 0, 0], 8)
  const data = deflateSync(Buffer.alloc(rows * (width + 1)))
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', data),
    chunk('IEND'),
  ])
}

/** A PNG's chunk, with its checksum. */
export function chunk(type: string, data: Uint8Array = new Uint8Array()): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(8 + body.length)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), 4 + body.length)
  return out
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
