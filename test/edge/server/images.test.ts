import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { type HttpServer, ImageService, startHttpServer } from '../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../fixtures.ts'
import { makeGif, makePhoto } from '../images/image-files.ts'

/** Images over the network, as curl sees them. */

const run = promisify(execFile)
const MIB = 1024 * 1024
const CHROME = 'image/avif,image/webp,image/*,*/*;q=0.8'
const photo = await makePhoto(400, 300)
const files = {
  'a.jpg': await sharp(photo).jpeg().toBuffer(),
  'b.png': photo,
  'c.gif': makeGif(30, 20, 3),
  'd.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
  'torn.jpg': (await sharp(photo).jpeg().toBuffer()).subarray(0, 3000),
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

class Scene {
  readonly server: HttpServer
  readonly service: ImageService

  private constructor(server: HttpServer, service: ImageService) {
    this.server = server
    this.service = service
  }

  static async start(t: Test, { fast }: { fast: boolean }): Promise<Scene> {
    const blobs = new MemoryBlobs()
    const table = buildTable(buildSite(buildManifest(blobs, files)))
    const settings = { maxWidth: 4096, maxHeight: 4096, formats: ['webp', 'jpg', 'png', 'avif'], widths: [] } as const
    const directory = join(t.testdir({}), 'images')
    const ports = { blobs, runtime: systemRuntime, log: silentLog }
    const service = new ImageService(
      { settings, directory, cacheBytes: 50 * MIB, memoryBytes: 5 * MIB, workers: 1 },
      ports,
    )
    await service.start()
    const server = await startHttpServer({
      ...ports,
      table: () => table,
      node: 'node1',
      host: '127.0.0.1',
      port: 0,
      fast,
      images: service,
      learn: async (need) => (need.kind === 'image' ? { image: await service.render(need.job, need) } : {}),
    })
    t.teardown(() => Promise.all([server.close(), service.close()]))
    return new Scene(server, service)
  }

  async curl(path: string, ...args: string[]): Promise<Answer> {
    const url = `http://127.0.0.1:${this.server.address.port}${path}`
    const options = { encoding: 'buffer', maxBuffer: 20 * MIB } as const
    const { stdout } = await run('curl', ['-sS', '-i', '-H', 'Host: example.com', ...args, url], options)
    const end = stdout.indexOf('\r\n\r\n')
    const [first = '', ...lines] = stdout.toString('latin1', 0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => line.split(/: (.*)/s)).map(([k, v]) => [k!.toLowerCase(), v!]),
    )
    return { status: Number(first.split(' ')[1]), headers, body: stdout.subarray(end + 4) }
  }
}

for (const fast of [false, true]) {
  t.test(fast ? 'by the fast path' : 'by node:http', async (t) => {
    const scene = await Scene.start(t, { fast })

    await t.test('sizes and formats', async (t) => {
      const table: [string, string[], object][] = [
        ['/a.jpg?w=100', [], { format: 'jpeg', width: 100, height: 75 }],
        ['/a.jpg?h=30&fmt=png', [], { format: 'png', width: 40, height: 30 }],
        ['/b.png?w=50&h=50&fit=crop&fmt=webp&q=40', [], { format: 'webp', width: 50, height: 50 }],
        ['/a.jpg?fmt=auto&w=64', ['-H', `Accept: ${CHROME}`], { format: 'heif', mediaType: 'image/avif', width: 64 }],
        ['/a.jpg?fmt=auto&w=64', ['-H', 'Accept: image/webp'], { format: 'webp', width: 64 }],
        ['/c.gif?w=15', [], { format: 'gif', pages: 3, width: 15 }],
        ['/c.gif?fmt=auto', ['-H', `Accept: ${CHROME}`], { format: 'webp', pages: 3 }],
      ]
      for (const [path, args, expected] of table) {
        const answer = await scene.curl(path, ...args)
        t.equal(answer.status, 200, path)
        t.match(await sharp(answer.body).metadata(), expected, path)
        t.equal(Number(answer.headers['content-length']), answer.body.length)
        const again = await scene.curl(path, ...args)
        t.ok(again.body.equals(answer.body), 'the same again')
        t.equal(again.headers.etag, answer.headers.etag)
        const head = await scene.curl(path, '-I', ...args)
        t.strictSame({ ...head.headers, date: '' }, { ...again.headers, date: '' }, 'HEAD')
        const tag = ['-H', `If-None-Match: ${answer.headers.etag}`]
        t.match(await scene.curl(path, ...tag, ...args), { status: 304, body: Buffer.alloc(0) })
        const part = await scene.curl(path, '-r', '5-9', ...args)
        t.equal(part.status, 206)
        t.ok(part.body.equals(answer.body.subarray(5, 10)))
      }
      t.equal(scene.service.counters.made, table.length, 'each was made once')
    })

    await t.test('what is refused', async (t) => {
      const table: [string, number, RegExp][] = [
        ['/a.jpg?w=0', 400, /^w must be a whole number from 1 to 4096\n$/],
        ['/a.jpg?fmt=tiff', 400, /^fmt must be webp, jpg, png, avif or auto\n$/],
        ['/torn.jpg?w=10', 422, /^the image is damaged/],
      ]
      for (const [path, status, reason] of table) {
        const answer = await scene.curl(path)
        t.equal(answer.status, status, path)
        t.match(answer.body.toString(), reason)
        t.match(answer.headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
      }
      t.match(await scene.curl('/torn.jpg'), { status: 200 }, 'the file itself can be had')
      t.equal((await scene.curl('/d.svg?w=10')).body.toString(), files['d.svg'], 'SVG is what it is')
    })

    await t.test('large results are sent whole', async (t) => {
      const answer = await scene.curl('/b.png?w=400&h=4000&fit=stretch&fmt=png')
      t.ok(answer.body.length > 256 * 1024, `${answer.body.length}`)
      t.match(await sharp(answer.body).metadata(), { height: 4000 })
    })
  })
}
