import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { encodeBytes } from '../../../cli/node/variants/encode-bytes.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { type BlobHash, hashBlob, silentLog } from '../../../core/index.ts'
import { type Coding, startHttpServer, type Variant } from '../../../edge/index.ts'
import { CODINGS, checkOf } from '../../../edge/message/index.ts'
import { planEncodings, VariantFolder } from '../../../edge/variants/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../fixtures.ts'

const run = promisify(execFile)
const decode = { br: brotliDecompressSync, gzip: gunzipSync, zstd: zstdDecompressSync }

/** Small enough to be read at once, and large enough, encoded too, to be streamed or sent by the kernel. */
function writePage(seed: number, length: number): Buffer {
  const random = createRandom(seed)
  return Buffer.from(Array.from({ length }, () => random.pick([...'etaoinshrdlu <>/"='])).join(''))
}
const files = {
  'small.html': writePage(1, 5000),
  'middle.css': writePage(3, 200_000),
  'large.js': writePage(2, 700_000),
  'empty.css': '',
}

async function serve(t: Test) {
  const directory = t.testdir({})
  const blobs = new MemoryBlobs()
  const variants = new VariantFolder(directory)
  const table = buildTable(buildSite(buildManifest(blobs, files)))
  const server = await startHttpServer({
    table: () => table,
    blobs,
    variants,
    node: 'n',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
  })
  t.teardown(() => server.close())
  const add = async (bytes: Buffer, coding: Coding): Promise<Variant> => {
    const hash = hashBlob(bytes)
    const level = planEncodings(bytes.length).find((step) => step.coding === coding)?.level ?? 1
    const encoded = await encodeBytes(bytes, { coding, level: Math.min(level, 5) })
    const variant = { coding, sizeBytes: encoded.length, check: checkOf(encoded) }
    const path = variants.path(hash, variant)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, encoded)
    variants.table.add({ hash, ...variant })
    return variant
  }
  const url = (name: string) => `http://127.0.0.1:${server.address.port}/${name}`
  const curl = async (name: string, ...options: string[]) => {
    const { stdout } = await run('curl', ['-s', '-i', '-H', 'host: example.com', ...options, url(name)], {
      encoding: 'buffer',
      maxBuffer: 1 << 26,
    })
    const end = stdout.indexOf('\r\n\r\n')
    const head = stdout.subarray(0, end).toString().toLowerCase()
    const field = (name: string) => new RegExp(`^${name}: (.*?)\r?$`, 'm').exec(head)?.[1]
    return { status: Number(head.split(' ')[1]), field, body: stdout.subarray(end + 4) }
  }
  return { variants, server, add, curl }
}

t.test('every coding decodes to the file, for curl and for the decoders of node', async (t) => {
  const { add, curl } = await serve(t)
  for (const [name, bytes] of Object.entries(files)) {
    if (typeof bytes === 'string') continue
    for (const coding of CODINGS) {
      const variant = await add(bytes, coding)
      const head = await curl(name, '-I', '-H', `accept-encoding: ${coding}`)
      const got = await curl(name, '-H', `accept-encoding: ${coding}`)
      t.equal(got.status, 200)
      t.equal(got.field('content-encoding'), coding)
      t.equal(got.field('content-length'), String(variant.sizeBytes))
      t.equal(got.field('vary'), 'accept-encoding')
      t.equal(got.field('etag'), `"${hashBlob(bytes)}-${coding}-${variant.check}"`)
      for (const field of ['content-encoding', 'content-length', 'etag', 'vary', 'content-type'])
        t.equal(head.field(field), got.field(field), `HEAD says the same ${field}`)
      t.ok(decode[coding](got.body).equals(bytes), `${coding} of ${name}`)
      const again = await curl(name, '-H', `accept-encoding: ${coding}`, '-H', `if-none-match: ${got.field('etag')}`)
      t.equal(again.status, 304)
      t.equal(again.field('vary'), 'accept-encoding')
      const part = await curl(
        name,
        '-H',
        `accept-encoding: ${coding}`,
        '-r',
        '100-299',
        '-H',
        `if-range: ${got.field('etag')}`,
      )
      t.equal(part.status, 206)
      t.ok(part.body.equals(got.body.subarray(100, 300)), 'a part of the very same bytes')
    }
    const compressed = await curl(name, '--compressed')
    t.ok(compressed.field('content-encoding') !== undefined)
    t.ok(compressed.body.equals(bytes), 'curl --compressed')
    const identity = await curl(name)
    t.equal(identity.field('content-encoding'), undefined)
    t.ok(identity.body.equals(bytes))
  }
})

for (const seed of seeds(3)) {
  t.test(`whatever happens to the files, nobody gets a wrong or cut body (SEED=${seed})`, async (t) => {
    const { add, curl, variants, server } = await serve(t)
    const random = createRandom(seed)
    for (let i = 0; i < 15; i++) {
      const name = random.pick(['small.html', 'middle.css', 'large.js'] as const)
      const bytes = files[name] as Buffer
      const hash = hashBlob(bytes) as BlobHash
      const coding = random.pick(CODINGS)
      const variant = await add(bytes, coding)
      const path = variants.path(hash, variant)
      const fate = random.integer(4)
      if (fate === 0) rmSync(path)
      if (fate === 1) truncateSync(path, random.integer(variant.sizeBytes))
      if (fate === 2 && variant.sizeBytes <= 128 * 1024) writeFileSync(path, Buffer.alloc(variant.sizeBytes, 65))
      const accepted = random.pick([coding, 'gzip, br, zstd'])
      const got = await curl(name, '-H', `accept-encoding: ${accepted}`)
      t.equal(got.status, 200)
      const encoding = got.field('content-encoding') as Coding | undefined
      const plain = encoding === undefined ? got.body : decode[encoding](got.body)
      t.ok(plain.equals(bytes), `${name} as ${encoding ?? 'identity'} after fate ${fate} of ${coding}`)
      if (fate === 0 || fate === 1)
        if (accepted === coding) t.equal(variants.find(hash, coding), undefined, 'and it is not named again')
    }
    t.equal(server.counters.blobFailures, 0)
  })
}

t.test('one that becomes ready is sent from then on, and one that is taken back is not', async (t) => {
  const { add, curl, variants } = await serve(t)
  const bytes = files['small.html']
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++)
      t.equal((await curl('small.html', '-H', 'accept-encoding: br')).field('content-encoding'), undefined)
    const variant = await add(bytes, 'br')
    for (let j = 0; j < 3; j++)
      t.equal((await curl('small.html', '-H', 'accept-encoding: br')).field('content-encoding'), 'br')
    variants.table.add({ hash: hashBlob(bytes), ...variant, sizeBytes: 0 })
    rmSync(variants.path(hashBlob(bytes), variant))
  }
  t.ok((await curl('small.html', '--compressed')).body.equals(bytes))
})

t.test('an encoding that is deleted while it is sent arrives whole', async (t) => {
  const { add, variants, server } = await serve(t)
  const bytes = files['large.js']
  const variant = await add(bytes, 'gzip')
  const headers = { host: 'example.com', 'accept-encoding': 'gzip' }
  const asked = request({ host: '127.0.0.1', port: server.address.port, path: '/large.js', headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  response.pause()
  rmSync(variants.path(hashBlob(bytes), variant))
  const chunks: Buffer[] = await Array.fromAsync(response)
  t.equal(response.headers['content-encoding'], 'gzip')
  t.ok(gunzipSync(Buffer.concat(chunks)).equals(bytes))
})
