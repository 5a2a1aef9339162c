import t from 'tap'
import { systemRuntime } from '../../cli/system.ts'
import {
  type BlobHash,
  type Change,
  createOperation,
  type Hostname,
  Manifest,
  nextStamp,
  type Operation,
  type OperationId,
  previewHost,
  shortId,
} from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { eventually } from '../support/eventually.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { DaemonCluster } from './support/daemons.ts'
import { type Answer, sha256, Visitor } from './support/http.ts'
import { Scene } from './support/scene.ts'

/**
 * A site of pages with fingerprinted chunks is published again and again, at every node in turn. Visitors load a page from one
 * node and its chunks from another, at once or some releases later:
 *
 * 1. Every page's chunks are there, and are those of its release, wherever and whenever they are asked for.
 * 2. What a chunk says of its release is true: `makiatto-release` names one that has it.
 * 3. A name that nobody ever published is not found, and is not remembered.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const HOST = 'news.test' as Hostname
const RELEASES = 500
const VISITORS = 3
const CHUNKS = ['app', 'menu', 'style'] as const
/** Pages that a visitor has open, and loads the rest of later. */
const MAX_OPEN = 8

interface Edition {
  readonly number: number
  readonly id: OperationId
  /** Path to content. */
  readonly files: ReadonlyMap<string, string>
}

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene)
t.teardown(() => cluster[Symbol.asyncDispose]())
// One of them answers in processes of their own.
cluster.daemons[1]?.configure((text) => text.replace('workers = 0', 'workers = 1'))
await cluster.start()

const editions: Edition[] = []
let last: Operation = cluster.seed.at(-1) as Operation
const heads = (): readonly OperationId[] => {
  const followed = new Set(cluster.seed.flatMap((operation) => operation.heads))
  return editions.length === 0 && last === cluster.seed.at(-1)
    ? cluster.seed.map(({ id }) => id).filter((id) => !followed.has(id))
    : [last.id]
}

async function commit(number: number, ...changes: Change[]): Promise<Operation> {
  const { client } = cluster.daemons[number % 3] as (typeof cluster.daemons)[number]
  const stamps = last === cluster.seed.at(-1) ? cluster.seed.map(({ stamp }) => stamp) : [last.stamp]
  const stamp = nextStamp(systemRuntime.now(), stamps)
  const operation = createOperation(cluster.operator, cluster.id, { stamp, heads: heads(), changes })
  await client.accept([operation.bytes])
  last = operation
  return operation
}

function writeEdition(number: number): ReadonlyMap<string, string> {
  const chunks = CHUNKS.map((name): [string, string] => {
    // One of them stays for a while.
    const content = `${name} of edition ${name === 'style' ? Math.floor(number / 10) : number}\n`.repeat(40)
    return [`assets/${name}-${sha256(content).slice(0, 16)}.js`, content]
  })
  return new Map([['index.html', [number, ...chunks.map(([path]) => path)].join('\n')], ...chunks])
}

async function publish(number: number): Promise<Edition> {
  const files = writeEdition(number)
  const blobs = [...files].map(([path, content]) => ({
    path,
    bytes: Buffer.from(content),
    hash: sha256(content) as BlobHash,
  }))
  const encoded = Manifest.of(blobs.map(({ path, bytes, hash }) => ({ path, hash, sizeBytes: bytes.length }))).encode()
  const items = [...blobs, { bytes: encoded.bytes, hash: encoded.hash }]
  const { client } = cluster.daemons[number % 3] as (typeof cluster.daemons)[number]
  await client.putBlobPack(
    encodePack(items.map(({ hash, bytes }) => ({ hash, sizeBytes: bytes.length, chunks: [bytes] }))),
  )
  const operation = await commit(number, {
    kind: 'release.publish',
    domain: HOST,
    manifest: encoded.hash,
    tree: encoded.tree,
    files: files.size,
    bytes: blobs.reduce((sum, { bytes }) => sum + bytes.length, 0),
    aliases: [],
  })
  const edition = { number, id: operation.id, files }
  editions.push(edition)
  return edition
}

interface OpenPage {
  readonly from: string
  readonly number: number
  readonly paths: readonly string[]
}

/** What is wrong with an answer for a chunk, in words. */
function faultOf({ from, number }: OpenPage, at: string, path: string, answer: Answer): string[] {
  const where = `${path} of edition ${number}, page from ${from}, chunk from ${at}`
  if (answer.status !== 200) return [`${where}: status ${answer.status}`]
  const edition = editions[number]
  if (edition?.files.get(path) !== answer.body.toString()) return [`${where}: other content`]
  const said = String(answer.headers['makiatto-release'])
  const named = editions.find(({ id }) => shortId(id) === said)
  // An edition is known to the test a moment after nodes serve it.
  if (named !== undefined && !named.files.has(path)) return [`${where}: said to be of edition ${named.number}`]
  return []
}

async function visit(
  seed: number,
  signal: AbortSignal,
): Promise<{ loaded: number; crossed: number; faults: string[] }> {
  const random = createRandom(seed)
  using visitor = new Visitor({ connections: 1 })
  const faults: string[] = []
  const open: OpenPage[] = []
  let loaded = 0
  let crossed = 0
  while (!signal.aborted || open.length > 0) {
    if (!signal.aborted && (open.length === 0 || (open.length < MAX_OPEN && random.chance(0.6)))) {
      const from = random.pick(cluster.daemons)
      const { status, body } = await visitor.get(from.http, HOST, '/')
      const [number, ...paths] = body.toString().split('\n')
      if (status !== 200) faults.push(`the page from ${from.name}: status ${status}`)
      else open.push({ from: from.name, number: Number(number), paths })
      if (!random.chance(0.5)) continue
    }
    // The newest at once, any other some releases later.
    const at = random.chance(0.7) ? open.length - 1 : random.integer(open.length)
    const [page] = open.splice(at, 1)
    if (page === undefined) continue
    for (const path of page.paths) {
      const to = random.pick(cluster.daemons)
      const answer = await visitor.get(to.http, HOST, `/${path}`)
      faults.push(...faultOf(page, to.name, path, answer))
      loaded++
      if (to.name !== page.from) crossed++
    }
  }
  return { loaded, crossed, faults }
}

await commit(0, { kind: 'domain.set', domain: HOST, spa: false, onConcurrent: 'latest', previews: true })
await publish(0)
await Promise.all(cluster.daemons.map((daemon) => daemon.event('site.switched', HOST)))

for (const seed of seeds(1)) {
  t.test(`every page finds its chunks at every node while ${RELEASES} releases go live (SEED=${seed})`, async (t) => {
    const stop = new AbortController()
    const visits = Array.from({ length: VISITORS }, (_, i) => visit(seed * 100 + i, stop.signal))
    for (let number = 1; number <= RELEASES; number++) await publish(number)
    stop.abort()
    const seen = await Promise.all(visits)
    for (const [i, { loaded, crossed, faults }] of seen.entries()) {
      t.strictSame(faults.slice(0, 10), [], `visitor ${i + 1}: ${loaded} chunks, ${crossed} of them from another node`)
      t.ok(crossed > 10, 'pages and chunks came from different nodes')
    }
  })
}

t.test('a name that nobody published is not found, and not remembered', async (t) => {
  using visitor = new Visitor()
  for (const { http, name } of cluster.daemons) {
    const { status, headers } = await visitor.get(http, HOST, `/assets/app-${sha256('none').slice(0, 16)}.js`)
    t.equal(status, 404, name)
    t.equal(headers['cache-control'], 'no-store')
  }
})

t.test('any of the last releases can be looked at, as it was, wherever it is asked for', async (t) => {
  using visitor = new Visitor()
  for (const [i, { id, number, files }] of editions.slice(-10).entries()) {
    const { http, name } = cluster.daemons[i % 3] as (typeof cluster.daemons)[number]
    for (const host of [previewHost(id, HOST), `${id}--preview.${HOST}.localhost`]) {
      const page = await visitor.get(http, host, '/')
      t.equal(page.body.toString(), files.get('index.html'), `edition ${number} at ${name}`)
      t.equal(page.headers['makiatto-release'], shortId(id))
      t.equal(page.headers['x-robots-tag'], 'noindex')
      t.equal(page.headers['cache-control'], 'no-cache')
    }
  }
  const { http } = cluster.daemons[0] as (typeof cluster.daemons)[number]
  const unknown = await visitor.get(http, `${'a'.repeat(26)}--preview.${HOST}`, '/')
  t.equal(unknown.status, 404)
})

t.test('a purge ends what older releases have, previews too', async (t) => {
  const [before, live] = editions.slice(-2) as [Edition, Edition]
  await commit(0, { kind: 'release.purge', domain: HOST, keep: live.id })
  await cluster.agreement()
  using visitor = new Visitor()
  const [chunk = ''] = [...before.files.keys()].filter((path) => !live.files.has(path) && path !== 'index.html')
  for (const { http, name } of cluster.daemons) {
    // The edge is told when the releases that are left were read.
    await eventually(`${name} shows no preview of what was purged`, async () => {
      const { status } = await visitor.get(http, previewHost(before.id, HOST), '/')
      return status === 404 ? true : undefined
    })
    t.equal((await visitor.get(http, HOST, `/${chunk}`)).status, 404, name)
    t.equal((await visitor.get(http, previewHost(live.id, HOST), '/')).status, 200)
  }
})

t.test('the end', async (t) => {
  await Promise.all(cluster.daemons.map((daemon) => daemon.stop()))
  t.strictSame(await scene.leftovers(), [], 'nothing is left behind')
})
