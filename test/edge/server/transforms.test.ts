import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompressSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { encodeBytes } from '../../../cli/node/variants/encode-bytes.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type BlobHash, hashBlob, silentLog } from '../../../core/index.ts'
import { type HttpServer, startHttpServer, TransformedBlobs } from '../../../edge/index.ts'
import { checkOf } from '../../../edge/message/index.ts'
import type { TransformService } from '../../../edge/transforms/index.ts'
import { VariantFolder } from '../../../edge/variants/index.ts'
import { openBlobReader } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildSite, buildTable, releaseId } from '../fixtures.ts'
import { type Behaviour, fails, Scene } from '../transforms/fakes.ts'

/** Transformed files over the network, as curl sees them, by the fast path and by node:http. */

const run = promisify(execFile)
const files = {
  'index.html': '<p>home',
  '404.html': '<p>nothing',
  'middle.css': 'a{}'.repeat(30_000),
  'large.js': Buffer.alloc(900_000, 'let x\n'),
  'note.md': '# note',
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A site of these files whose transform behaves so, served by both ways from one service. */
class Site {
  readonly scene: Scene
  readonly service: TransformService
  readonly variants: VariantFolder
  readonly #servers: readonly HttpServer[]

  private constructor(
    scene: Scene,
    service: TransformService,
    variants: VariantFolder,
    servers: readonly HttpServer[],
  ) {
    this.scene = scene
    this.service = service
    this.variants = variants
    this.#servers = servers
  }

  static async start(t: Test, behaviour: Behaviour): Promise<Site> {
    const scene = new Scene(t, files)
    // On the disk, as blobs of a node are, so that the kernel can send them.
    const blobs = openBlobReader(`${scene.directory}-blobs`)
    for (const [hash, bytes] of scene.blobs.bytes) {
      mkdirSync(dirname(blobs.path(hash)), { recursive: true })
      writeFileSync(blobs.path(hash), bytes)
    }
    const service = await scene.service({ ports: { blobs } })
    const variants = new VariantFolder(`${scene.directory}-variants`)
    const transforms = scene.transforms([scene.runner.step(behaviour)])
    const release = { id: releaseId('b'), manifest: scene.manifest, transforms }
    const table = buildTable({ ...buildSite(scene.manifest), release })
    const start = (fast: boolean) =>
      startHttpServer({
        table: () => table,
        blobs: new TransformedBlobs(blobs, service),
        transforms: service,
        variants,
        learn: async (need) => (need.kind === 'transform' ? { transform: await service.transform(need.job) } : {}),
        node: 'n',
        host: '127.0.0.1',
        port: 0,
        fast,
        log: silentLog,
        runtime: systemRuntime,
      })
    const servers = [await start(true), await start(false)]
    t.teardown(() => Promise.all(servers.map((server) => server.close())))
    return new Site(scene, service, variants, servers)
  }

  /** The answers of both ways, which have to be the same but for the moment. */
  async ask(t: Test, path: string, ...options: string[]): Promise<Answer> {
    const [fast, plain] = [await this.curl(0, path, ...options), await this.curl(1, path, ...options)]
    const strip = ({ headers: { date: _, 'keep-alive': __, connection: ___, ...headers }, ...rest }: Answer) => ({
      ...rest,
      headers,
    })
    t.strictSame(strip(fast as Answer), strip(plain as Answer), `${path} ${options.join(' ')}`)
    return fast as Answer
  }

  async curl(way: number, path: string, ...options: string[]): Promise<Answer> {
    const url = `http://127.0.0.1:${this.#servers[way]?.address.port}${path}`
    const { stdout } = await run('curl', ['-sS', '-i', '-H', 'Host: example.com', ...options, url], {
      encoding: 'buffer',
      maxBuffer: 1 << 26,
    })
    const end = stdout.indexOf('\r\n\r\n')
    const [first = '', ...lines] = stdout.toString('latin1', 0, end).split('\r\n')
    const fields = lines.map((line) => line.split(/: (.*)/s)).map(([k, v]) => [k!.toLowerCase(), v!])
    return { status: Number(first.split(' ')[1]), headers: Object.fromEntries(fields), body: stdout.subarray(end + 4) }
  }

  /** Made as control makes it, and told of. */
  async encode(bytes: Buffer): Promise<void> {
    const hash = hashBlob(bytes)
    const encoded = await encodeBytes(bytes, { coding: 'br', level: 4 })
    const variant = { coding: 'br', sizeBytes: encoded.length, check: checkOf(encoded) } as const
    const path = this.variants.path(hash, variant)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, encoded)
    this.variants.table.add({ hash, ...variant })
  }
}

const shouts: Behaviour = ({ content }) => ({
  content: Buffer.from(Buffer.from(content).toString('latin1').toUpperCase()),
  headers: [['x-shouted', 'yes']],
})
const shouted = (name: keyof typeof files): Buffer => Buffer.from(files[name].toString().toUpperCase())
const tagOf = (bytes: Buffer): string => `"${hashBlob(bytes)}"`

t.test('tags, ranges, conditions and HEAD are those of the result', async (t) => {
  const site = await Site.start(t, shouts)
  for (const [path, name] of [
    ['/', 'index.html'],
    ['/middle.css', 'middle.css'],
    ['/large.js', 'large.js'],
  ] as const) {
    const bytes = shouted(name)
    // Before any GET, and again once it is known.
    const head = await site.ask(t, path, '-I')
    for (let i = 0; i < 3; i++) {
      const got = await site.ask(t, path)
      t.equal(got.status, 200)
      t.ok(got.body.equals(bytes), `${name} is whole`)
      t.match(got.headers, { etag: tagOf(bytes), 'content-length': String(bytes.length), 'x-shouted': 'yes' })
      t.strictSame({ ...got.headers, date: '' }, { ...head.headers, date: '' })
    }
    const etag = tagOf(bytes)
    t.match(await site.ask(t, path, '-H', `if-none-match: ${etag}`), { status: 304, headers: { etag } })
    t.equal((await site.ask(t, path, '-H', `if-match: ${tagOf(Buffer.from(files[name]))}`)).status, 412)
    const part = await site.ask(t, path, '-r', '2-5')
    t.match(part, { status: 206, headers: { 'content-range': `bytes 2-5/${bytes.length}` } })
    t.ok(part.body.equals(bytes.subarray(2, 6)))
    const resumed = await site.ask(t, path, '-r', '3-', '-H', `if-range: ${etag}`)
    t.ok(resumed.status === 206 && resumed.body.equals(bytes.subarray(3)))
    t.equal((await site.ask(t, path, '-r', '3-', '-H', 'if-range: "other"')).status, 200)
    t.equal((await site.ask(t, path, '-r', `${bytes.length}-`)).status, 416)
  }
  const missing = await site.ask(t, '/no/such')
  t.match(missing, { status: 404, headers: { 'cache-control': 'no-cache', 'x-shouted': 'yes' } })
  t.ok(missing.body.equals(shouted('404.html')))
  t.equal(site.scene.runner.runs.length, 4, 'each once')
})

t.test('encodings are those of the result', async (t) => {
  const site = await Site.start(t, (file) => (file.path === '/note.md' ? { content: file.content } : shouts(file)))
  for (const name of ['middle.css', 'large.js'] as const) {
    const bytes = shouted(name)
    const first = await site.ask(t, `/${name}`, '-H', 'accept-encoding: br')
    t.match([first.headers.vary, first.headers['content-encoding']], ['accept-encoding', undefined])
    await site.encode(bytes)
    for (let i = 0; i < 2; i++) {
      const got = await site.ask(t, `/${name}`, '-H', 'accept-encoding: br')
      t.equal(got.headers['content-encoding'], 'br')
      t.ok(brotliDecompressSync(got.body).equals(bytes))
      t.ok(got.headers.etag?.startsWith(`"${hashBlob(bytes)}-br-`))
    }
    t.ok((await site.ask(t, `/${name}`)).body.equals(bytes))
  }
})

t.test('the file itself while its transform fails, and the result as soon as it does not', async (t) => {
  let isBroken = true
  const site = await Site.start(t, (file) => (isBroken ? fails('busy') : shouts(file)))
  const page = Buffer.from(files['index.html'])
  const broken = await site.ask(t, '/')
  t.match(broken, { status: 200, headers: { 'cache-control': 'no-cache', etag: tagOf(page) } })
  t.ok(broken.body.equals(page))
  isBroken = false
  // What failed for want of room is tried again after a second: nothing of it may have been remembered.
  await t.resolves(
    (async () => {
      while (!(await site.curl(0, '/')).body.equals(shouted('index.html')));
    })(),
  )
  t.ok((await site.ask(t, '/')).body.equals(shouted('index.html')))
})

for (const seed of seeds(4)) {
  t.test(`whatever happens to results on the disk, nobody gets a wrong or cut body (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const site = await Site.start(t, shouts)
    const names = ['index.html', 'middle.css', 'large.js', 'note.md'] as const
    for (let i = 0; i < 25; i++) {
      const name = random.pick(names)
      const bytes = shouted(name)
      const hash: BlobHash = hashBlob(bytes)
      const path = site.service.path(hash)
      const harm = random.pick(['gone', 'cut', 'none', 'none'] as const)
      if (harm === 'gone') rmSync(path, { force: true })
      if (harm === 'cut' && existsSync(path)) truncateSync(path, random.integer(bytes.length))
      const way = random.integer(2)
      const method = random.chance(0.2) ? ['-I'] : random.chance(0.3) ? ['-r', '1-3'] : []
      const got = await site.curl(way, `/${name}`, ...method)
      const whole = got.headers.etag === tagOf(bytes) ? bytes : Buffer.from(files[name])
      t.equal(got.headers.etag, tagOf(whole), name)
      if (whole !== bytes) t.equal(got.headers['cache-control'], 'no-cache')
      const expected = method[0] === '-I' ? Buffer.alloc(0) : method[0] === '-r' ? whole.subarray(1, 4) : whole
      t.ok(got.body.equals(expected), `${name} ${method.join(' ')}`)
    }
  })
}
