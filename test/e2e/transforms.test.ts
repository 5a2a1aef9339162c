import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { type BlobHash, type Hostname, Manifest, type TransformValue } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest, type GuestName } from '../support/guests/build-wat.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { sha256, Visitor } from './support/http.ts'
import { Scene } from './support/scene.ts'

/** A real node puts files through components of their release, once for all its workers, and serves what comes out as files. */

t.setTimeout(0)
const HOST = 'shop.test' as Hostname
const SEEN = '<!-- seen -->\n'

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const node = cluster.daemons[0] as Daemon
using visitor = new Visitor({ connections: 4 })

type Step = Omit<TransformValue, 'component'> & { readonly guest: GuestName }

async function publish(files: Readonly<Record<string, string>>, steps: readonly Step[]): Promise<void> {
  const items = Object.values(files).map((text) => ({ bytes: Buffer.from(text), hash: sha256(text) as BlobHash }))
  const entries = Object.entries(files)
  const encoded = Manifest.of(
    entries.map(([path, text]) => ({ path, hash: sha256(text) as BlobHash, sizeBytes: Buffer.byteLength(text) })),
  ).encode()
  const components = await Promise.all(steps.map(({ guest }) => buildWatGuest(guest)))
  const all = [...items, encoded, ...components.map((bytes) => ({ bytes, hash: sha256(bytes) as BlobHash }))]
  const unique = [...new Map(all.map((item) => [item.hash, item])).values()]
  await node.client.putBlobPack(
    encodePack(unique.map(({ bytes, hash }) => ({ hash, sizeBytes: bytes.length, chunks: [bytes] }))),
  )
  await cluster.commit({
    kind: 'release.publish',
    domain: HOST,
    manifest: encoded.hash,
    tree: encoded.tree,
    files: entries.length,
    bytes: items.reduce((sum, { bytes }) => sum + bytes.length, 0),
    aliases: [],
    transforms: steps.map(({ guest: _, ...step }, i) => ({
      ...step,
      component: sha256(components[i] as Uint8Array) as BlobHash,
    })),
  })
}

const get = (path: string, headers: Record<string, string> = {}) => visitor.get(node.http, HOST, path, headers)

const served = (path: string, text: string): Promise<true> =>
  eventually(`${path} to be ${JSON.stringify(text.slice(-40))}`, async () =>
    (await get(path)).body.toString() === text ? true : undefined,
  )

async function metric(name: string): Promise<number | undefined> {
  const socket = controlSocketPath(node.layout, {})
  const { stdout } = await scene.run('curl', ['-s', '--unix-socket', socket, 'http://node/metrics'])
  const line = stdout.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.split(' ').at(-1))
}

const page = `<!doctype html><p>${'a page of some length. '.repeat(200)}`
const files = { 'index.html': page, 'about.html': '<p>about', '404.html': '<p>nothing', 'plain.txt': 'plain' }
const append: Step = { path: 'append.wasm', files: '**/*.html', guest: 'transform-append' }

await node.start()
await cluster.commit({ kind: 'domain.set', domain: HOST, spa: false, onConcurrent: 'latest', previews: true })

t.test('every path is answered by what came of its file', async (t) => {
  await publish(files, [append])
  await served('/', page + SEEN)
  for (const [path, text] of Object.entries({ '/about': '<p>about', '/no/such': '<p>nothing' })) {
    const { body, headers } = await get(path)
    t.equal(body.toString(), text + SEEN)
    t.equal(headers['x-seen'], 'yes')
  }
  t.equal((await get('/plain.txt')).body.toString(), 'plain')
  const { headers } = await get('/')
  t.equal(headers.etag, `"${sha256(page + SEEN)}"`)
  t.equal((await get('/', { 'if-none-match': String(headers.etag) })).status, 304)
  const part = await get('/', { range: `bytes=${page.length}-` })
  t.match([part.status, part.body.toString()], [206, SEEN])
})

t.test('once for all workers, whoever asks', async (t) => {
  for (let i = 0; i < 50; i++) t.equal((await get('/')).body.toString(), page + SEEN)
  t.equal(await eventually('what workers counted', () => metric('makiatto_transforms_total{outcome="changed"}')), 3)
  const results = readdirSync(join(node.layout.dataDirectory, 'transformed', 'results'), { recursive: true })
  t.equal(results.filter((name) => /[0-9a-f]{64}$/.test(String(name))).length, 3)
})

t.test('encodings are made of what came out', async (t) => {
  const encoded = await eventually('an encoding', async () => {
    const answer = await get('/', { 'accept-encoding': 'br' })
    return answer.headers['content-encoding'] === 'br' ? answer : undefined
  })
  t.equal(brotliDecompressSync(encoded.body).toString(), page + SEEN)
})

t.test('a new release is answered by its own transforms; one that fails, by the file', async (t) => {
  await publish(files, [append, { ...append, path: 'again.wasm' }])
  await served('/', page + SEEN + SEEN)
  await publish(files, [append, { ...append, path: 'trap.wasm', guest: 'transform-trap' }])
  await served('/', page)
  const { headers } = await get('/')
  t.match(headers, { 'cache-control': 'no-cache', etag: `"${sha256(page)}"` })
  t.match(await node.event('transforms.failed'), { domain: HOST, transform: 'trap.wasm', why: 'trap' })
  t.ok((await eventually('failures', () => metric('makiatto_transform_failures_total{why="trap"}'))) >= 1)
})

t.test('a node that starts again has what was made', async (t) => {
  await publish(files, [append])
  await served('/', page + SEEN)
  await node.stop()
  await node.start()
  await served('/', page + SEEN)
  t.equal(await metric('makiatto_transforms_total{outcome="changed"}'), 0)
})
