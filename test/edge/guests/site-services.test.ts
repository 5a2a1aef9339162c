import { Readable } from 'node:stream'
import t from 'tap'
import { type BlobHash, hashBlob, MakiError, Manifest } from '../../../core/index.ts'
import type { Answer, Ask } from '../../../edge/guests/index.ts'
import { createSiteServices, type NetworkServices, type SiteServicesOptions } from '../../../edge/guests/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

/** A site in memory, with the timers of its services, which elapse when the test says so. */
function open(files: Readonly<Record<string, string | Uint8Array>>, more: Partial<SiteServicesOptions> = {}) {
  const contents = new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]))
  const blobs = new Map([...contents.values()].map((bytes) => [hashBlob(bytes), bytes]))
  const manifest = Manifest.of(
    [...contents].map(([path, bytes]) => ({ path, hash: hashBlob(bytes), sizeBytes: bytes.length })),
  )
  const warned: unknown[] = []
  const timers: { delayMs: number; call: () => void; cancelled: boolean }[] = []
  let open = 0
  const services = createSiteServices({
    manifest,
    blobs: {
      async stream(hash: BlobHash, { start, end } = { start: 0, end: 0 }) {
        const bytes = blobs.get(hash)
        if (bytes === undefined) throw new MakiError('MAKI_BLOB_MISSING', 'it is not here')
        open++
        const middle = start + Math.floor((end - start) / 2)
        const stream = Readable.from([bytes.subarray(start, middle), bytes.subarray(middle, end)])
        stream.on('close', () => open--)
        return stream
      },
    },
    log: { warn: (event, data) => warned.push([event, data]) },
    runtime: {
      after(delayMs, call) {
        const timer = { delayMs, call, cancelled: false }
        timers.push(timer)
        return () => {
          timer.cancelled = true
        }
      },
    },
    ...more,
  })
  const ask = async (ask: object) => {
    const { header, body } = await services.answer(ask as Ask, new Uint8Array(0))
    return { ...header, ...(body === undefined ? {} : { text: Buffer.from(body).toString() }) }
  }
  return { services, ask, manifest, blobs, warned, timers, openStreams: () => open }
}

const read = (path: string, offset = 0, length = 100) => ({ ask: 'read', path, offset, length })

t.test('files and folders of a release', async (t) => {
  const { ask, openStreams } = open({ 'a.txt': 'hello', 'sub/b': '', 'sub/deep/c': 'C' })
  t.strictSame(await ask({ ask: 'stat', path: 'a.txt' }), {
    type: 'file',
    sizeBytes: 5,
    hash: hashBlob(Buffer.from('hello')),
  })
  t.strictSame(await ask({ ask: 'stat', path: '' }), { type: 'folder' })
  t.strictSame(await ask({ ask: 'stat', path: 'sub/deep' }), { type: 'folder' })
  t.strictSame(await ask({ ask: 'stat', path: 'su' }), { error: 'no-entry' })
  t.strictSame(await ask({ ask: 'stat', path: 'a.txt/x' }), { error: 'not-directory' })
  t.strictSame(await ask({ ask: 'list', path: '' }), {
    entries: [
      ['a.txt', 'file'],
      ['sub', 'folder'],
    ],
    more: false,
  })
  t.strictSame(await ask({ ask: 'list', path: '', after: 'a.txt' }), { entries: [['sub', 'folder']], more: false })
  t.strictSame(await ask({ ask: 'list', path: 'a.txt' }), { error: 'not-directory' })
  t.strictSame(await ask({ ask: 'list', path: 'nothing' }), { error: 'no-entry' })
  t.strictSame(await ask(read('a.txt')), { ended: true, text: 'hello' })
  t.strictSame(await ask(read('a.txt', 1, 3)), { ended: false, text: 'ell' })
  t.strictSame(await ask(read('a.txt', 5)), { ended: true, text: '' })
  t.strictSame(await ask(read('a.txt', 2 ** 52)), { ended: true, text: '' })
  t.strictSame(await ask(read('sub/b')), { ended: true, text: '' })
  t.strictSame(await ask(read('sub')), { error: 'is-directory' })
  t.strictSame(await ask(read('nothing')), { error: 'no-entry' })
  t.equal(openStreams(), 0)
})

t.test('files of rules are hidden in every folder: they hold passwords', async (t) => {
  const { ask } = open({ _headers: 'x', _redirects: 'y', 'a/_headers': 'z', 'a/b': 'b', 'headers/_redirects': '' })
  for (const path of ['_headers', '_redirects', 'a/_headers', 'headers/_redirects']) {
    t.strictSame(await ask({ ask: 'stat', path }), { error: 'no-entry' }, path)
    t.strictSame(await ask(read(path)), { error: 'no-entry' }, path)
  }
  t.match(await ask({ ask: 'list', path: '' }), {
    entries: [
      ['a', 'folder'],
      ['headers', 'folder'],
    ],
  })
  t.match(await ask({ ask: 'list', path: 'a' }), { entries: [['b', 'file']], more: false })
  t.strictSame(await ask({ ask: 'list', path: 'headers' }), { entries: [], more: false })
})

t.test('a process that was taken over asks for what no guest asks', async (t) => {
  const { ask } = open({ 'a.txt': 'hello' })
  for (const bad of [
    read('../a.txt'),
    read('/etc/passwd'),
    read('a.txt/../a.txt'),
    read('./a.txt'),
    read('__proto__'),
    { ask: 'stat', path: '..' },
    { ask: 'stat', path: 'a.txt/' },
    { ask: 'list', path: '.' },
    { ask: 'stat' },
    { ask: 'stat', path: 7 },
    { ask: 'stat', path: ['a.txt'] },
    { ask: 'list', path: '', after: 7 },
    read('a.txt', -1),
    read('a.txt', 0.5),
    read('a.txt', Number.NaN),
    read('a.txt', 0, -1),
    { ask: 'read', path: 'a.txt', offset: '0', length: '5' },
    { ask: 'nonsense' },
    { ask: 'tcp-connect', address: '127.0.0.1', port: 1 },
  ])
    t.match(await ask(bad), { error: /^(no-entry|not-directory|invalid|access-denied)$/ }, JSON.stringify(bad))
})

t.test('answers are bounded, and so is a run', async (t) => {
  const big = open({ big: Buffer.alloc(1_000_000, 'x') })
  t.equal((await big.ask(read('big', 0, Number.MAX_SAFE_INTEGER))).text?.length, 256 * 1024)
  const long = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${'\u0001'.repeat(900)}${i}`, '']))
  const { entries, more } = (await open(long).ask({ ask: 'list', path: '' })) as unknown as Answer & {
    entries: unknown[]
    more: boolean
  }
  t.ok(entries.length > 0 && more)
  t.ok(JSON.stringify(entries).length < 40_000, 'a page is small in the header of a frame, however names are written')
  const few = open({ a: 'x' }, { maxAsks: 2 })
  await few.ask(read('a'))
  await few.ask(read('nothing'))
  t.strictSame(await few.ask(read('a')), { error: 'quota' })
  const little = open({ a: 'x'.repeat(100) }, { maxBytes: 150 })
  t.match(await little.ask(read('a')), { ended: true })
  t.match(await little.ask(read('a')), { ended: true }, 'what was begun is given')
  t.strictSame(await little.ask(read('a')), { error: 'quota' })
})

t.test('a blob that cannot be read is an error of the disk, and that is told once', async (t) => {
  const { ask, blobs, warned } = open({ a: 'one', b: 'two' })
  blobs.delete(hashBlob(Buffer.from('one')))
  t.strictSame(await ask(read('a')), { error: 'io' })
  t.strictSame(await ask(read('a')), { error: 'io' })
  t.match(await ask(read('b')), { text: 'two' })
  t.match(warned, [['guest.file-unreadable', { path: 'a' }]])
  t.equal(warned.length, 1)
  const short = open({ a: 'longer' })
  short.blobs.set(hashBlob(Buffer.from('longer')), Buffer.from('cut'))
  t.strictSame(await short.ask(read('a')), { error: 'io' }, 'a blob that lost its end')
})

t.test('the network is another’s, and it is closed with the rest', async (t) => {
  const asked: unknown[] = []
  let closed = 0
  const network: NetworkServices = {
    async answer(ask, body) {
      asked.push([ask, body.length])
      return { header: { done: true } }
    },
    close() {
      closed++
    },
  }
  const { services, ask, timers } = open({ a: 'x' }, { network })
  await services.answer({ ask: 'tcp-write', id: 1 }, new Uint8Array(5))
  await ask({ ask: 'wait', for: [{ id: 1, until: 'read' }], mostMs: 5 })
  await ask({ ask: 'resolve', name: 'x' })
  await ask({ ask: 'stat', path: 'a' })
  t.equal(asked.length, 3)
  t.strictSame(asked[0], [{ ask: 'tcp-write', id: 1 }, 5])

  const slept = ask({ ask: 'wait', for: [], mostMs: 1e12 })
  t.equal(timers.length, 1)
  t.equal(timers[0]?.delayMs, 60_000, 'nobody sleeps longer at once')
  timers[0]?.call()
  t.strictSame(await slept, { ready: [] })
  t.strictSame(await ask({ ask: 'wait', for: [], mostMs: 0 }), { ready: [] })
  t.strictSame(await ask({ ask: 'wait', for: 'x', mostMs: 'x' }), { ready: [] })
  const waiting = ask({ ask: 'wait', for: [], mostMs: 5000 })
  services.close()
  services.close()
  t.strictSame(await waiting, { ready: [] }, 'who sleeps is woken by the end')
  t.ok(timers.at(-1)?.cancelled)
  t.equal(closed, 1)
  t.strictSame(await ask(read('a')), { error: 'io' })
  t.strictSame(await open({}).ask({ ask: 'wait', for: [{ id: 1, until: 'read' }], mostMs: 1 }), {
    error: 'access-denied',
  })
})

for (const seed of seeds(40)) {
  t.test(`ranges of a file, whatever they are, are those of its bytes (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes = random.bytes(random.integer(3000))
    const { services } = open({ f: bytes })
    for (let i = 0; i < 20; i++) {
      const [offset, length] = [random.integer(3500), randomLength(random)]
      const { header, body } = await services.answer({ ask: 'read', path: 'f', offset, length }, new Uint8Array(0))
      t.ok(Buffer.from(body ?? []).equals(bytes.subarray(offset, offset + length)))
      t.strictSame(header, { ended: offset + length >= bytes.length || offset >= bytes.length })
    }
  })
}

const randomLength = (random: Random) => random.pick([0, 1, 10, 5000, random.integer(3000)])
