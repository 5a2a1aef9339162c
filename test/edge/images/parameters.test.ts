import t from 'tap'
import { hashBlob } from '../../../core/index.ts'
import {
  buildJob,
  chooseFormat,
  entityTagOf,
  findImageFormat,
  type ImageFormat,
  type ImageSettings,
  type ParsedParameters,
  parseParameters,
} from '../../../edge/images/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** What a query asks for, as a table; and what it comes to. */

const SETTINGS: ImageSettings = {
  maxWidth: 4096,
  maxHeight: 2000,
  formats: ['webp', 'jpg', 'png', 'avif'],
  widths: [],
}
const read = (query: string, settings: Partial<ImageSettings> = {}) =>
  parseParameters(query, { ...SETTINGS, ...settings })

function parametersOf(parsed: ParsedParameters) {
  if (parsed.kind !== 'parameters') throw new Error(JSON.stringify(parsed))
  return parsed.parameters
}

t.test('queries that ask for nothing of ours', async (t) => {
  for (const query of ['', '?', '?v=3', '?width=100', '?W=100', '?utm_source=w', '?&&', '?=1', '?w%20=1'])
    t.strictSame(read(query), { kind: 'none' }, query)
})

t.test('queries that ask for an image', async (t) => {
  const none = { width: undefined, height: undefined, fit: 'max', format: undefined, quality: undefined }
  const table: Record<string, object> = {
    '?w=800': { width: 800 },
    '?h=2000': { height: 2000 },
    '?w=4096&h=1&fit=crop&fmt=avif&q=1': { width: 4096, height: 1, fit: 'crop', format: 'avif', quality: 1 },
    '?v=3&q=100&x=': { quality: 100 },
    '?fmt=jpeg': { format: 'jpg' },
    '?fmt=auto': { format: 'auto' },
    '?%77=8%30': { width: 80 },
  }
  for (const [query, part] of Object.entries(table))
    t.strictSame(read(query), { kind: 'parameters', parameters: { ...none, ...part } }, query)
})

t.test('queries that are refused, with the reason', async (t) => {
  const width = 'w must be a whole number from 1 to 4096'
  const table: Record<string, string> = {
    '?w=0': width,
    '?w=': width,
    '?w': width,
    '?w=4097': width,
    '?w=-5': width,
    '?w=%2B5': width,
    '?w=+5': width,
    '?w=1.5': width,
    '?w=1e3': width,
    '?w=0x10': width,
    '?w=007': width,
    '?w=99999999999999999999': width,
    '?w=%D9%A3': width,
    '?w=NaN': width,
    '?h=2001': 'h must be a whole number from 1 to 2000',
    '?q=0': 'q must be a whole number from 1 to 100',
    '?q=101': 'q must be a whole number from 1 to 100',
    '?w=1&w=1': 'w stands more than once',
    '?fmt=webp&fmt=png': 'fmt stands more than once',
    '?w=5&fit=cover': 'fit must be max, pad, crop or stretch',
    '?fit=crop': 'fit needs w or h',
    '?fmt=gif': 'fmt must be webp, jpg, png, avif or auto',
    '?fmt=': 'fmt must be webp, jpg, png, avif or auto',
    '?fmt=WEBP': 'fmt must be webp, jpg, png, avif or auto',
  }
  for (const [query, reason] of Object.entries(table)) t.strictSame(read(query), { kind: 'bad', reason }, query)
})

t.test('a list of widths, and fewer formats', async (t) => {
  const widths = { widths: [320, 640, 1280] }
  t.match(read('?w=640&h=100&fit=crop', widths), { kind: 'parameters' })
  t.match(read('?fmt=auto', widths), { kind: 'parameters' })
  t.strictSame(read('?w=641', widths), { kind: 'bad', reason: 'w may be 320, 640 or 1280 on this node' })
  t.strictSame(read('?h=100', widths), { kind: 'bad', reason: 'h needs w here, which may be 320, 640 or 1280' })
  t.match(read('?fmt=avif', { formats: ['webp'] }), { kind: 'bad', reason: 'fmt must be webp or auto' })
})

for (const seed of seeds(20)) {
  t.test(`no query throws, and no reason repeats it, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const parts = [
      'w=',
      'h=',
      'q=',
      'fit=',
      'fmt=',
      '&',
      '=',
      '%',
      '%ff',
      '12',
      '<b>',
      '\r\n',
      'auto',
      'crop',
      '\u{1f600}',
    ]
    for (let i = 0; i < 500; i++) {
      const query = `?${Array.from({ length: random.integer(9) }, () => random.pick(parts)).join('')}`
      const parsed = read(query)
      if (parsed.kind === 'bad' && !/^[ -~]+$/.test(parsed.reason)) t.fail(query)
      if (parsed.kind === 'bad' && parsed.reason.includes('<')) t.fail(query)
    }
  })
}

t.test('fmt=auto: AVIF, then WebP, else what it is', async (t) => {
  const chrome = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'
  const table: [ImageFormat, string | undefined, ImageFormat][] = [
    ['jpg', chrome, 'avif'],
    ['png', chrome, 'avif'],
    ['gif', chrome, 'webp'],
    ['webp', chrome, 'webp'],
    ['avif', chrome, 'avif'],
    ['jpg', 'image/webp', 'webp'],
    ['avif', 'image/webp', 'webp'],
    ['jpg', '*/*', 'jpg'],
    ['jpg', 'image/*', 'jpg'],
    ['jpg', undefined, 'jpg'],
    ['jpg', 'IMAGE/AVIF ; q=0.1', 'avif'],
    ['jpg', 'image/avif;q=0, image/webp;q=0.000', 'jpg'],
    ['jpg', 'image/avifx, ximage/webp', 'jpg'],
  ]
  for (const [original, accept, chosen] of table)
    t.equal(chooseFormat(original, accept, SETTINGS.formats), chosen, `${original} ${accept}`)
  t.equal(chooseFormat('jpg', chrome, ['webp']), 'webp', 'what the node does not make is not chosen')
  t.equal(chooseFormat('jpg', chrome, ['png']), 'jpg')
  t.equal(chooseFormat('avif', chrome, []), 'avif', 'what it is may stay')
})

t.test('what is an image, by its name', async (t) => {
  const table = {
    'a.JPG': 'jpg',
    'b.jpeg': 'jpg',
    'c/d.png': 'png',
    'e.webp': 'webp',
    'f.avif': 'avif',
    'g.gif': 'gif',
  }
  for (const [path, format] of Object.entries(table)) t.equal(findImageFormat(path), format, path)
  for (const path of ['a.svg', 'favicon.ico', 'a.png.html', 'png', 'constructor', 'a.tiff', 'a.heic', 'x.toString'])
    t.equal(findImageFormat(path), undefined, path)
})

t.test('equal jobs have equal keys, and every difference that shows has another', async (t) => {
  const source = { hash: hashBlob(Buffer.from('a')), sizeBytes: 1 }
  const key = (query: string, format: ImageFormat, of = source) =>
    buildJob(of, parametersOf(read(query)), format, SETTINGS).key
  t.equal(key('?w=80', 'webp'), key('?q=85&w=80', 'webp'), 'the usual quality')
  t.equal(key('?w=80&q=3', 'png'), key('?w=80', 'png'), 'no quality without loss')
  t.equal(key('?w=80&fit=crop', 'jpg'), key('?w=80', 'jpg'), 'one side alone')
  t.equal(key('?w=80&h=2000', 'jpg'), key('?w=80', 'jpg'), 'the most that there may be')
  const other = { hash: hashBlob(Buffer.from('b')), sizeBytes: 1 }
  const keys = [
    key('?w=80&h=80', 'webp'),
    key('?w=81&h=80', 'webp'),
    key('?w=80&h=81', 'webp'),
    key('?w=80&h=80&fit=crop', 'webp'),
    key('?w=80&h=80&fit=pad', 'webp'),
    key('?w=80&h=80&q=84', 'webp'),
    key('?w=80&h=80', 'jpg'),
    key('?w=80&h=80', 'webp', other),
  ]
  t.equal(new Set(keys).size, keys.length)
  t.match(
    entityTagOf(buildJob(source, parametersOf(read('?w=80')), 'webp', SETTINGS), 'c'.repeat(16)),
    /^"[0-9a-f]{64}-[0-9a-f]{16}-c{16}"$/,
  )
})
