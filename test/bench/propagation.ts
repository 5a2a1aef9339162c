import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { decode, encode } from 'dns-packet'
import { type BlobHash, hashBlob, Manifest } from '../../core/index.ts'
import { encodePack } from '../../replication/index.ts'
import { Author } from './author.ts'
import { addressOf, DOMAIN, domainSet, recordSet } from './changes.ts'
import { type BenchCluster, type BenchNode, sleep, startCluster } from './cluster.ts'
import { latencies, line, title } from './report.ts'
import { summarize } from './stats.ts'

const OPERATIONS = 300
/** Between two writes, so that each is alone; a part of it is chance, so that none falls into step with a timer. */
const PAUSE_MS = 15
const POLL_MS = 1
/** Far beyond what is of interest; a change that needs longer is lost. */
const GIVE_UP_MS = 10_000

/** From the acknowledgement at node 1 to the answer at node 3, which is asked every millisecond by this one process. */
export async function benchPropagation(): Promise<void> {
  title('2. Acknowledged on node 1, answered on node 3')
  await using cluster = await startCluster(3)
  const author = await Author.at(cluster, cluster.nodes[0]!)
  await cluster.nodes[0]!.control.accept([author.make([domainSet]).bytes])
  const dns = await measure((i) => setRecord(cluster, author, i))
  line('record set → DNS (UDP)', latencies(summarize(dns)))
  const http = await measure((i) => publishPage(cluster, author, i))
  line('one-file release → HTTP', latencies(summarize(http)))
  const back = await measure((i) => rollBack(cluster, author, i))
  line('rollback → HTTP on all nodes', latencies(summarize(back)))
}

async function measure(act: (i: number) => Promise<() => Promise<boolean>>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < OPERATIONS + 10; i++) {
    const isAnswered = await act(i)
    const acknowledged = performance.now()
    await until(isAnswered)
    // The first ten warm up.
    if (i >= 10) times.push(performance.now() - acknowledged)
    await sleep(PAUSE_MS * (0.5 + Math.random()))
  }
  return times
}

/** Asks every millisecond until the answer is yes. */
export async function until(isAnswered: () => Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await isAnswered())) {
    if (performance.now() - started > GIVE_UP_MS) throw new Error('a change was not answered')
    await sleep(POLL_MS)
  }
}

async function setRecord({ nodes }: BenchCluster, author: Author, i: number): Promise<() => Promise<boolean>> {
  const { bytes } = author.make([recordSet(i)])
  const port = nodes[2]!.layout.dnsPort
  await nodes[0]!.control.accept([bytes])
  return async () => (await askAddress(port, `r${i}.${DOMAIN}`)) === addressOf(i)
}

/** Publishes a page at node 1; the answer tells whether `asked`, the third node unless it is given, serves it. */
export async function publishPage(
  { nodes }: BenchCluster,
  author: Author,
  i: number,
  asked: BenchNode = nodes[2]!,
): Promise<() => Promise<boolean>> {
  const { control } = nodes[0]!
  const page = Buffer.from(`<!doctype html><title>${i}</title>\n`)
  const hash = hashBlob(page)
  const manifest = Manifest.of([{ path: 'index.html', hash, sizeBytes: page.length }]).encode()
  await control.putBlobPack(packOf([page, manifest.bytes]))
  const { bytes } = author.make([
    {
      kind: 'release.publish',
      domain: DOMAIN,
      manifest: manifest.hash,
      tree: manifest.tree,
      files: 1,
      bytes: page.length,
      aliases: [],
    },
  ])
  await control.accept([bytes])
  const port = asked.layout.httpPort
  return async () => (await fetchPage(port, DOMAIN)) === page.toString()
}

/** Goes back to the one of two pages that is not live; the answer tells whether every node serves it. */
async function rollBack({ nodes }: BenchCluster, author: Author, i: number): Promise<() => Promise<boolean>> {
  const { control } = nodes[0]!
  const [page, other] = ['back', 'forth'].map((text) => Buffer.from(`<!doctype html><title>${text}</title>\n`))
  const pages = i % 2 === 0 ? [page!, other!] : [other!, page!]
  const manifests = pages.map((bytes) =>
    Manifest.of([{ path: 'index.html', hash: hashBlob(bytes), sizeBytes: bytes.length }]).encode(),
  )
  await control.putBlobPack(packOf([...pages, ...manifests.map(({ bytes }) => bytes)]))
  const [{ hash, tree }] = manifests as [(typeof manifests)[number]]
  const bytes = pages[0]!.length
  const change = {
    kind: 'release.publish',
    domain: DOMAIN,
    manifest: hash,
    tree,
    files: 1,
    bytes,
    aliases: [],
  } as const
  await control.accept([author.make([change]).bytes])
  return async () => {
    const served = await Promise.all(nodes.map(({ layout }) => fetchPage(layout.httpPort, DOMAIN)))
    return served.every((text) => text === pages[0]!.toString())
  }
}

function packOf(blobs: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  return encodePack(
    blobs.map((bytes) => ({ hash: hashBlob(bytes) as BlobHash, sizeBytes: bytes.length, chunks: [bytes] })),
  )
}

/** A node that does not listen yet answers nothing. */
const ANSWER_MS = 200

let socket: Socket | undefined

/** The address that a node answers for a name; undefined for any other answer, and for none. */
export async function askAddress(port: number, name: string): Promise<string | undefined> {
  socket ??= createSocket('udp4').unref()
  const id = Math.floor(Math.random() * 65_536)
  socket.send(encode({ type: 'query', id, questions: [{ name, type: 'A' }] }), port, '127.0.0.1')
  const signal = AbortSignal.timeout(ANSWER_MS)
  for (;;) {
    const received = await once(socket, 'message', { signal }).catch(() => undefined)
    if (received === undefined) return undefined
    const answer = decode(received[0] as Buffer)
    if (answer.id !== id) continue
    const record = answer.answers?.[0]
    return record?.type === 'A' ? record.data : undefined
  }
}

const agent = new Agent({ keepAlive: true })

async function fetchPage(port: number, host: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  get({ agent, port, host: '127.0.0.1', path: '/', headers: { host } }, (response) => {
    let text = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      text += chunk
    })
    response.on('end', () => resolve(text))
    response.on('error', reject)
  }).on('error', reject)
  return promise
}
