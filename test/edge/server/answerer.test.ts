import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob } from '../../../core/index.ts'
import { imageDone } from '../../../edge/images/index.ts'
import { Answerer } from '../../../edge/server/answerer.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, siteRequest } from '../fixtures.ts'

t.test(
  'what is learnt for a request is of the release that it began with, whatever is switched meanwhile',
  async (t) => {
    const tableOf = (photo: string) => buildTable(buildSite(buildManifest(new MemoryBlobs(), { 'a.jpg': photo })))
    let table = tableOf('before')
    const settings = { maxWidth: 4096, maxHeight: 4096, formats: ['webp'], widths: [] } as const
    const answerer = new Answerer({
      node: 'n',
      runtime: systemRuntime,
      table: () => table,
      images: { settings, find: () => undefined },
      learn: async () => {
        table = tableOf('after')
        return { image: imageDone(Buffer.from('of the one before')) }
      },
    })
    const etagOf = async () => (await answerer.answer(siteRequest({ target: '/a.jpg?w=80' }))).headers.etag
    t.ok(String(await etagOf()).startsWith(`"${hashBlob(Buffer.from('before'))}-`))
    t.ok(String(await etagOf()).startsWith(`"${hashBlob(Buffer.from('after'))}-`))
  },
)
