import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { type BlobHash, type Hostname, MakiError, silentLog } from '../../../../core/index.ts'
import { type Site, SiteTable, startHttpServer, type Variant, type VariantReader } from '../../../../edge/index.ts'
import { AnswerMemo, type MemorisedAnswer } from '../../../../edge/server/fast/answer-memo.ts'
import { DateClock } from '../../../../edge/server/fast/date.ts'
import { RecordedRequest } from '../../../../edge/server/fast/recorded-request.ts'
import { RequestHead } from '../../../../edge/server/fast/request-head.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { buildManifest, buildSite, buildTable, FakeRuntime, MemoryBlobs, sendRaw } from '../../fixtures.ts'

const HOSTS = ['example.com', 'EXAMPLE.com', 'other.com']
const TARGETS = ['/', '/a', '/b?c']
const CODINGS = ['gzip', 'br', undefined]
const TAGS = ['"x"', undefined]
const client = () => ({ address: '192.0.2.1', country: undefined })

function readHead(parts: {
  host: string
  target: string
  isHead: boolean
  coding?: string
  tag?: string
}): RequestHead {
  const fields = [`Host: ${parts.host}`]
  if (parts.coding !== undefined) fields.push(`accept-encoding: ${parts.coding}`)
  if (parts.tag !== undefined) fields.push(`if-none-match: ${parts.tag}`)
  const head = new RequestHead()
  const text = `${parts.isHead ? 'HEAD' : 'GET'} ${parts.target} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`
  if (head.read(Buffer.from(text), 0) !== text.length) throw new Error(`not read: ${text}`)
  return head
}

for (const seed of seeds(10)) {
  t.test(`what is remembered is what was decided from the very same, within its bytes, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime()
    const date = new DateClock(runtime)
    const maxBytes = 60_000
    const memo = new AnswerMemo({
      maxBytes,
      date,
      findSite: (host, table) => {
        const site = table.findSite(host.toLowerCase())
        return site && { host: host.toLowerCase(), site }
      },
    })
    const manifest = buildManifest(new MemoryBlobs(), {})
    let table = SiteTable.empty
    const change = (name: string) => {
      const site: Site = buildSite(manifest, { domain: name as Hostname, hosts: [name as Hostname] })
      table = table.with(new Map([[name as Hostname, site]]))
    }
    for (const name of ['example.com', 'other.com']) change(name)
    /** A socket still holds them: they must not change under it. */
    const inFlight: [Buffer, string][] = []
    let found = 0
    let wrong = 0
    for (let i = 0; i < 3000; i++) {
      if (random.chance(0.02)) change(random.pick(['example.com', 'other.com']))
      if (random.chance(0.05)) runtime.advance(random.integer(3000))
      const coding = random.pick(CODINGS)
      const tag = random.pick(TAGS)
      const isHead = random.chance(0.3)
      const [host, target] = [random.pick(HOSTS), `${random.pick(TARGETS)}${random.chance(0.2) ? i : ''}`]
      const head = readHead({ host, target, isHead, ...(coding && { coding }), ...(tag && { tag }) })
      const entry = memo.findHost(head.host, table)
      if (entry === undefined) throw new Error('the host has a site')
      // By what the decision looks at: the tag first, and the coding only where there is no tag.
      const decided = () => `${entry.site.domain} ${target} ${isHead} ${tag ?? `coding ${coding}`}`
      const known = memo.find(entry, target, head)
      if (known !== undefined) {
        found++
        const text = known.bytes.toString('latin1')
        if (known.site !== table.findSite(host.toLowerCase()) || !text.endsWith(decided())) wrong++
        if (!text.startsWith(`Date: ${new Date(runtime.now()).toUTCString()}`)) wrong++
        if (random.chance(0.5)) {
          known.pinned = true
          inFlight.push([known.bytes, text])
        }
        continue
      }
      const request = new RecordedRequest(head.copy(), { secure: false, client })
      if (request.field('if-none-match') === undefined) request.field('accept-encoding')
      const { absent, values } = request
      const bytes = Buffer.from(`Date: ${date.text} ${'x'.repeat(random.integer(300))}${decided()}`, 'latin1')
      const answer: MemorisedAnswer = {
        plan: { status: 200, headers: {}, body: { kind: 'none' } },
        isHead,
        site: entry.site,
        epoch: 0,
        absent,
        values,
        bodyBytes: 0,
        bytes,
        dateAt: 6,
        dateTick: date.tick,
        pinned: false,
      }
      memo.add(entry, target, answer)
      if (memo.recentBytes > maxBytes / 2) wrong++
    }
    date.stop()
    t.equal(wrong, 0)
    t.ok(inFlight.every(([bytes, text]) => bytes.toString('latin1') === text))
    t.ok(found > 500, `${found} found`)
  })
}

/** Encodings that are announced one by one. */
class LateVariants implements VariantReader {
  readonly #ready = new Map<BlobHash, { variant: Variant; bytes: Uint8Array }>()
  epoch = 0
  announce(hash: BlobHash, bytes: Uint8Array): void {
    this.#ready.set(hash, { variant: { coding: 'gzip', sizeBytes: bytes.length, check: '0123456789abcdef' }, bytes })
    this.epoch++
  }
  find(hash: BlobHash, coding: string): Variant | undefined {
    return coding === 'gzip' ? this.#ready.get(hash)?.variant : undefined
  }
  path = () => '/nowhere'
  lost = () => new MakiError('MAKI_BLOB_MISSING', 'gone')
  read = async (hash: BlobHash) => this.#ready.get(hash)?.bytes ?? new Uint8Array()
  stream = async (hash: BlobHash) => Readable.from([await this.read(hash)])
}

t.test(
  'an encoding that becomes ready is given at once, and answers that it does not touch stay remembered',
  async (t) => {
    const blobs = new MemoryBlobs()
    const manifest = buildManifest(blobs, { 'a.css': 'a {}\n'.repeat(1000), 'b.css': 'b {}\n'.repeat(1000) })
    const table = buildTable(buildSite(manifest))
    const variants = new LateVariants()
    const where = { node: 'tokyo', host: '127.0.0.1', port: 0, log: silentLog, runtime: systemRuntime }
    const server = await startHttpServer({ ...where, table: () => table, blobs, variants })
    t.teardown(() => server.close())
    const ask = async (path: string): Promise<string> => {
      const get = `GET /${path} HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: gzip\r\n`
      const raw = await sendRaw(server.address, `${get}\r\n${get.replace(path, 'nowhere')}Connection: close\r\n\r\n`)
      return /^content-encoding: (.*)\r$/im.exec(raw)?.[1] ?? 'identity'
    }
    for (const path of ['a.css', 'b.css', 'a.css', 'b.css']) t.equal(await ask(path), 'identity')
    t.equal(server.counters.remembered, 2)
    const a = manifest.find('a.css')?.hash as BlobHash
    variants.announce(a, gzipSync(blobs.bytes.get(a) as Uint8Array))
    t.equal(await ask('a.css'), 'gzip')
    t.equal(server.counters.remembered, 2, 'decided anew')
    t.equal(await ask('b.css'), 'identity')
    t.equal(server.counters.remembered, 3, 'decided again, and the same')
    t.equal(await ask('a.css'), 'gzip')
    t.equal(server.counters.remembered, 4)
  },
)
