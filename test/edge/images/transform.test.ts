import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import t from 'tap'
import { prepareDecoder, RefusedImage, transformImage } from '../../../edge/images/decode.ts'
import { type ImageShape, PIPELINE } from '../../../edge/images/image-job.ts'
import { chunk, makeGif, makePhoto, makePngBomb, makeQuarters, readQuarters } from './image-files.ts'

/** What the pipeline makes of images; in this process, which the decoder keeps apart. */

const LIMITS = { maxPixels: 100_000_000, maxFrames: 1000 }
const QUARTERS = ['f00', '0f0', '00f', 'fff']
const shape = (part: Partial<ImageShape> = {}): ImageShape => ({
  width: 4096,
  height: 4096,
  fit: 'max',
  format: 'png',
  quality: 90,
  ...part,
})
// Whoever made the files of a test uses loaders that are off in a decoder: all files are made first.
const quarters = await makeQuarters(80, 48)
const photo = await makePhoto(300, 200)
const oriented = await Promise.all(
  [1, 2, 3, 4, 5, 6, 7, 8].map(async (orientation) => ({ orientation, file: await orient(orientation) })),
)
const noisy = await sharp(photo).jpeg({ quality: 90 }).toBuffer()

async function faultOf(made: Promise<unknown>): Promise<string> {
  try {
    await made
    return 'none'
  } catch (error) {
    return error instanceof RefusedImage ? error.fault : String(error)
  }
}

/** The picture stored turned, with the tag that turns it back: an Exif camera's way. */
async function orient(orientation: number): Promise<Buffer> {
  const turns: Record<number, (image: Sharp) => Sharp> = {
    1: (image) => image,
    2: (image) => image.flop(),
    3: (image) => image.rotate(180),
    4: (image) => image.flip(),
    5: (image) => image.rotate(90).flip(),
    6: (image) => image.rotate(270),
    7: (image) => image.rotate(270).flip(),
    8: (image) => image.rotate(90),
  }
  const turned = await turns[orientation]!(sharp(quarters)).png().toBuffer()
  return await sharp(turned)
    .withExif({ IFD0: { Copyright: 'planted' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' } })
    .withMetadata({ orientation })
    .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
    .toBuffer()
}

prepareDecoder()

t.test('the pipeline is named after the version of sharp that is installed', async (t) => {
  const root = join(import.meta.dirname, '..', '..', '..')
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.equal(PIPELINE.split('/')[0], `sharp-${dependencies.sharp}`, 'raise PIPELINE with it: results may differ')
})

for (const { orientation, file } of oriented) {
  t.test(`EXIF orientation ${orientation} is applied, and nothing of EXIF is left`, async (t) => {
    t.ok(file.includes('planted'), 'the marker is in the file')
    for (const format of ['jpg', 'png', 'webp', 'avif'] as const) {
      const made = await transformImage(file, shape({ width: 40, format }), LIMITS)
      const metadata = await sharp(made).metadata()
      t.match(metadata, { width: 40, height: 24 }, format)
      t.strictSame(await readQuarters(made), QUARTERS, format)
      t.equal(metadata.exif, undefined)
      t.notOk(made.includes('planted'))
      t.equal(metadata.orientation ?? 1, 1)
    }
  })
}

t.test('fit: max, pad, crop and stretch', async (t) => {
  const size = async (part: Partial<ImageShape>) => {
    const made = await transformImage(quarters, shape(part), LIMITS)
    const { width, height, hasAlpha } = await sharp(made).metadata()
    return `${width}x${height}${hasAlpha ? ' alpha' : ''} ${(await readQuarters(made)).join(' ')}`
  }
  const plain = QUARTERS.join(' ')
  t.equal(await size({ width: 40, height: 40 }), `40x24 ${plain}`)
  t.equal(await size({ width: 4096, height: 4096 }), `80x48 ${plain}`, 'never enlarged')
  t.equal(await size({ width: 40, height: 40, fit: 'pad' }), `40x40 alpha ${plain}`)
  t.equal(
    await size({ width: 120, height: 120, fit: 'pad', format: 'jpg' }),
    '120x120 fff fff fff fff',
    'white around it',
  )
  t.equal(await size({ width: 40, height: 40, fit: 'crop' }), `40x40 ${plain}`)
  t.equal(await size({ width: 100, height: 100, fit: 'crop' }), `48x48 ${plain}`, 'a smaller box of that ratio')
  t.equal(await size({ width: 100, height: 200, fit: 'stretch' }), `100x200 ${plain}`)
})

t.test('colours: Display P3, CMYK, 16 bits and grey become sRGB of 8 bits', async (t) => {
  const p3 = await sharp(quarters).withIccProfile('p3').png().toBuffer()
  t.ok((await sharp(p3).metadata()).icc, 'has a profile')
  const cmyk = await sharp(quarters).toColourspace('cmyk').withIccProfile('cmyk').jpeg({ quality: 100 }).toBuffer()
  t.equal((await sharp(cmyk).metadata()).space, 'cmyk')
  const deep = await sharp(quarters).toColourspace('rgb16').png().toBuffer()
  t.equal((await sharp(deep).metadata()).depth, 'ushort')
  for (const [name, file] of Object.entries({ p3, cmyk, deep })) {
    for (const format of ['jpg', 'webp', 'png'] as const) {
      const made = await transformImage(file, shape({ format, quality: 100 }), LIMITS)
      t.match(await sharp(made).metadata(), { space: 'srgb', depth: 'uchar', icc: undefined }, `${name} ${format}`)
      const colours = await readQuarters(made)
      // Printing inks have no pure primaries, and a yellow green; the strongest channel tells the others apart.
      const [red, green, blue, white] = colours.map(strongest)
      t.strictSame([red, blue, white], ['r', 'b', 'all'], `${name} ${format} ${colours.join(' ')}`)
      if (name !== 'cmyk') t.equal(green, 'g')
    }
  }
  const grey = await sharp(quarters).greyscale().png().toBuffer()
  t.match(await sharp(await transformImage(grey, shape({ format: 'jpg' }), LIMITS)).metadata(), { width: 80 })
})

t.test('transparency: kept where the format has it, white where it has not', async (t) => {
  const clear = await sharp({ create: { width: 20, height: 20, channels: 4, background: '#f000' } })
    .png()
    .toBuffer()
  for (const format of ['png', 'webp', 'avif'] as const) {
    const made = await transformImage(clear, shape({ format }), LIMITS)
    t.equal((await sharp(made).metadata()).hasAlpha, true, format)
    t.equal((await sharp(made).stats()).isOpaque, false, format)
  }
  t.strictSame(await readQuarters(await transformImage(clear, shape({ format: 'jpg' }), LIMITS)), Array(4).fill('fff'))
})

t.test('animations keep frames, delays and loops; other formats take the first frame', async (t) => {
  const gif = makeGif(40, 20, 5, 12)
  // Three repetitions after the first showing.
  t.match(await sharp(gif, { pages: -1 }).metadata(), { pages: 5, loop: 4, delay: Array(5).fill(120) }, 'the file')
  for (const format of ['gif', 'webp'] as const) {
    for (const [fit, size] of [
      ['max', [20, 10]],
      ['pad', [20, 20]],
      ['crop', [20, 20]],
      ['stretch', [20, 20]],
    ] as const) {
      const made = await transformImage(gif, shape({ width: 20, height: 20, fit, format, quality: 100 }), LIMITS)
      const { pages, delay, loop, width, pageHeight } = await sharp(made, { pages: -1 }).metadata()
      t.match({ pages, loop, delay }, { pages: 5, loop: 4, delay: Array(5).fill(120) }, `${format} ${fit}`)
      t.strictSame([width, pageHeight], size, `${format} ${fit}`)
    }
  }
  const still = await transformImage(gif, shape({ format: 'png' }), LIMITS)
  t.match(await sharp(still).metadata(), { width: 40, height: 20, pages: undefined })
})

t.test('interlaced and progressive files are read', async (t) => {
  const files = [
    await sharp(photo).png({ progressive: true }).toBuffer(),
    await sharp(photo).jpeg({ progressive: true }).toBuffer(),
  ]
  for (const file of files)
    t.match(await sharp(await transformImage(file, shape({ width: 100, format: 'webp' }), LIMITS)).metadata(), {
      width: 100,
    })
})

t.test('what a file is decides its first bytes, not its name; nothing else is read', async (t) => {
  const refused: Record<string, Buffer> = {
    svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    'svg behind a comment': Buffer.from(
      '<!-- \xff\xd8\xff -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    ),
    html: Buffer.from('<!doctype html><title>image</title>'),
    zip: Buffer.concat([Buffer.from('PK\x03\x04'.padEnd(40, '\0'), 'latin1'), noisy]),
    pdf: Buffer.concat([Buffer.from('%PDF-1.7\n'), noisy]),
    tiff: await sharp(photo).tiff().toBuffer(),
    bmp: Buffer.from(`BM${'\0'.repeat(60)}`),
    empty: Buffer.alloc(0),
    'sixteen zeros': Buffer.alloc(16),
    heic: Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'),
  }
  for (const [name, file] of Object.entries(refused))
    t.equal(await faultOf(transformImage(file, shape(), LIMITS)), 'unknown-format', name)
  // Whatever hangs behind an image is gone with everything that is no pixel.
  const marker = '<script>planted()</script>'
  const tail = Buffer.concat([noisy, Buffer.from(marker)])
  const comment = Buffer.concat([
    quarters.subarray(0, 33),
    chunk('tEXt', Buffer.from(`a\0${marker}`)),
    quarters.subarray(33),
  ])
  for (const file of [tail, comment]) {
    t.ok(file.includes('planted'))
    for (const format of ['jpg', 'png', 'webp', 'gif', 'avif'] as const)
      t.notOk((await transformImage(file, shape({ format }), LIMITS)).includes('planted'), format)
  }
})

t.test('truncated files are refused, wherever they end', async (t) => {
  const whole = {
    jpg: noisy,
    png: photo,
    webp: await sharp(photo).webp().toBuffer(),
    avif: await sharp(photo).avif().toBuffer(),
    gif: await sharp(photo).gif().toBuffer(),
  }
  for (const [format, file] of Object.entries(whole)) {
    t.equal(await faultOf(transformImage(file, shape(), LIMITS)), 'none', format)
    for (const part of [0.02, 0.3, 0.7]) {
      const fault = await faultOf(transformImage(file.subarray(0, Math.max(20, file.length * part)), shape(), LIMITS))
      t.equal(fault, 'broken', `${format} ${part}`)
    }
  }
})

t.test('bombs are refused by what they say of themselves, before a pixel is decoded', async (t) => {
  const webp = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#f008' } })
    .webp()
    .toBuffer()
  const claim = Buffer.concat([
    Buffer.from('RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0', 'latin1'),
    Buffer.from([0xff, 0x3f, 0x00, 0xff, 0x3f, 0x00]),
    webp.subarray(12),
  ])
  claim.writeUInt32LE(claim.length - 8, 4)
  const avif = await sharp(photo).avif().toBuffer()
  const ispe = avif.indexOf('ispe') + 8
  avif.writeUInt32BE(60_000, ispe)
  avif.writeUInt32BE(60_000, ispe + 4)
  const bombs: Record<string, [Buffer, readonly string[]]> = {
    'PNG of 50,000 x 50,000': [makePngBomb(50_000, 50_000, 100), ['too-many-pixels']],
    'PNG of 2^31 columns': [makePngBomb(0x7fffffff, 1, 0), ['too-many-pixels', 'broken']],
    'GIF of 10,000 frames': [makeGif(1, 1, 10_000), ['too-many-frames']],
    'GIF of 900 frames of 500 x 500': [
      makeGif(500, 500, 1).length > 0 ? manyFrames(900) : Buffer.alloc(0),
      ['too-many-pixels'],
    ],
    'WebP that claims 16,384 x 16,384': [claim, ['too-many-pixels', 'broken']],
    'AVIF that claims 60,000 x 60,000': [avif, ['too-many-pixels', 'broken']],
  }
  for (const [name, [file, faults]] of Object.entries(bombs)) {
    const fault = await faultOf(transformImage(file, shape({ width: 10, format: 'webp' }), LIMITS))
    t.ok(faults.includes(fault), `${name}: ${fault}`)
  }
  t.equal(
    await faultOf(transformImage(await makeWide(), shape({ width: 20_000, height: 20_000, format: 'webp' }), LIMITS)),
    'too-large-for-format',
  )
})

/** One large frame, repeated. */
function manyFrames(frames: number): Buffer {
  const one = makeGif(500, 500, 1)
  const start = one.indexOf(Buffer.from([0x21, 0xf9]))
  const frame = one.subarray(start, -1)
  return Buffer.concat([one.subarray(0, start), ...Array(frames).fill(frame), one.subarray(-1)])
}

async function makeWide(): Promise<Buffer> {
  return await sharp({ create: { width: 17_000, height: 4, channels: 3, background: '#123' } })
    .png()
    .toBuffer()
}

function strongest(colour: string): string {
  const values = [...colour].map((digit) => Number.parseInt(digit, 16))
  const most = Math.max(...values)
  if (values.every((value) => value > most - 3)) return 'all'
  return 'rgb'.charAt(values.indexOf(most))
}
