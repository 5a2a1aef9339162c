import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { ImageService } from '../../../edge/images/index.ts'
import { type Plan, respond } from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, siteRequest } from '../fixtures.ts'
import { makeGif } from './image-files.ts'

/** Every URL in the tables of docs/images.md gives what stands beside it. */

const MIB = 1024 * 1024
const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'images.md'), 'utf8')
const rows = [...page.matchAll(/^\| `(\/[^`]+)` \| ([^|]+) \|$/gm)].map(([, url, result]) => [url!, result!] as const)
const plain = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } })
const files = {
  'photo.jpg': await plain(4000, 3000, '#864').jpeg().toBuffer(),
  'icon.png': await plain(64, 64, '#864').png().toBuffer(),
  'logo.png': await plain(400, 200, '#8648').png().toBuffer(),
  'dance.gif': makeGif(400, 300, 12),
}
const blobs = new MemoryBlobs()
const table = buildTable(buildSite(buildManifest(blobs, files)))
const settings = { maxWidth: 4096, maxHeight: 4096, formats: ['webp', 'jpg', 'png', 'avif'], widths: [] } as const
const service = new ImageService(
  { settings, directory: join(t.testdir({}), 'images'), cacheBytes: 50 * MIB, memoryBytes: 5 * MIB, workers: 1 },
  { blobs, runtime: systemRuntime, log: silentLog },
)
t.teardown(() => service.close())

async function answer(target: string): Promise<Plan> {
  const request = siteRequest({ target })
  const first = respond(request, table, {}, { node: 'node1', images: service })
  if (!('kind' in first)) return first
  if (first.kind !== 'image') throw new Error(first.kind)
  const image = await service.render(first.job, first)
  const plan = respond(request, table, { image }, { node: 'node1', images: service })
  if ('kind' in plan) throw new Error(plan.kind)
  return plan
}

t.test('the page has examples of every parameter', async (t) => {
  t.ok(rows.length > 20, `${rows.length} rows`)
  for (const name of ['w', 'h', 'fit', 'fmt', 'q'])
    t.ok(
      rows.some(([url, result]) => new RegExp(`[?&]${name}=`).test(url) && !result.startsWith('400')),
      name,
    )
})

for (const [url, expected] of rows) {
  t.test(`${url} gives ${expected}`, async (t) => {
    const { status, body } = await answer(url)
    if (body.kind === 'text') return t.equal(`${status}: ${body.text.trim()}`, expected)
    if (body.kind !== 'bytes') return t.fail(body.kind)
    const { width, height, pageHeight, pages, format } = await sharp(body.bytes).metadata()
    const name = { jpeg: 'jpg', heif: 'avif' }[format as string] ?? format
    const frames = pages === undefined || pages === 1 ? '' : `, ${pages} frames`
    return t.equal(`${width} x ${pageHeight ?? height} ${name}${frames}`, expected)
  })
}
