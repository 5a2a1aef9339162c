import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type BlobHash, decodeMessage, silentLog } from '../../../core/index.ts'
import {
  BlobFetcher,
  type BlobPeer,
  BlobStore,
  type BlobStoreOptions,
  encodePack,
  type FetchProgress,
  startBlobServer,
} from '../../../replication/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import {
  auditBlobs,
  chunksOf,
  collect,
  createBlob,
  createBytes,
  packItem,
  peerKey,
  type TestBlob,
} from '../blob-support.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const IDLE_MS = 15_000
const random = createRandom(11)
const small = Array.from({ length: 30 }, (_, i) => createBlob(createBytes(random, 100 + i * 50)))
const large = createBlob(createBytes(random, 4_000_000))
const hashes = (blobs: readonly TestBlob[]) => blobs.map(({ hash }) => hash)

/** A node that wants blobs, with peers that the test may change. */
async function openFetcher(t: Test, peers: BlobPeer[], options: BlobStoreOptions = {}) {
  const directory = t.testdir()
  const store = await BlobStore.open(directory, options)
  const runtime = new FakeRuntime(1)
  const fetcher = new BlobFetcher({ store, peers: () => peers, runtime, log: silentLog, idleMs: IDLE_MS })
  t.teardown(() => fetcher[Symbol.asyncDispose]())
  return { directory, store, runtime, fetcher }
}

/** An honest peer with these blobs. */
async function startPeer(t: Test, name: string, blobs: readonly TestBlob[], directory: string): Promise<BlobPeer> {
  const store = await BlobStore.open(directory)
  await store.putPack(encodePack(blobs.map(packItem)))
  const server = await startBlobServer({ store, host: '127.0.0.1', port: 0, log: silentLog })
  t.teardown(() => server[Symbol.asyncDispose]())
  return { key: peerKey(name), url: server.url }
}

type Behave = (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown

/** A peer that does what the test says. */
async function startStranger(t: Test, name: string, behave: Behave): Promise<BlobPeer> {
  const server = createServer(async (request, response) => behave(request, response, await collect(request)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { key: peerKey(name), url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const askedHashes = (body: Buffer): BlobHash[] =>
  (decodeMessage(body) as Uint8Array[]).map((hash) => Buffer.from(hash).toString('hex') as BlobHash)

const tempDirectory = (t: Test): string => t.testdir()

t.test('blobs come from whoever has them, once, however many want them', async (t) => {
  const root = tempDirectory(t)
  const near = await startPeer(t, 'near', small.slice(0, 15), `${root}/near`)
  const far = await startPeer(t, 'far', [...small, large], `${root}/far`)
  await t.test('fetch', async (t) => {
    const { fetcher, store, directory } = await openFetcher(t, [near, far])
    const seen: FetchProgress[] = []
    const all = [...small, large]
    const manifest = { hash: large.hash }
    await Promise.all([
      fetcher.fetch(all, { onProgress: (progress) => seen.push(progress) }),
      fetcher.fetch(small),
      fetcher.fetch([manifest]),
    ])
    t.same(await store.missing(hashes(all)), [])
    t.same(await auditBlobs(directory), { wrong: [], count: all.length })
    t.equal(fetcher.counts.blobs, all.length)
    const totalBytes = all.reduce((sum, blob) => sum + blob.sizeBytes, 0)
    t.same(seen.at(-1), { blobs: all.length, totalBlobs: all.length, bytes: totalBytes, totalBytes })
    const { packs, singles } = fetcher.counts
    await fetcher.fetch(all)
    await fetcher.fetch([])
    t.same({ packs: fetcher.counts.packs, singles: fetcher.counts.singles }, { packs, singles })
    t.match(fetcher.counts, { lied: 0, stalled: 0, failed: 0 })
  })
})

t.test('a peer that lies is put behind and another is asked', async (t) => {
  const root = tempDirectory(t)
  const honest = await startPeer(t, 'honest', [...small, large], root)
  const other = createBlob(Buffer.from('something else'))
  const lies: [string, Behave][] = [
    [
      'wrong bytes',
      (_request, response, body) => {
        const items = askedHashes(body).map((hash) => ({ hash, sizeBytes: 3, chunks: [Buffer.from('lie')] }))
        void collect(encodePack(items)).then((pack) => response.end(pack))
      },
    ],
    [
      'unasked blobs',
      (_request, response) => void collect(encodePack([packItem(other)])).then((pack) => response.end(pack)),
    ],
    [
      'a pack cut short',
      (_request, response) =>
        void collect(encodePack([packItem(small[0]!)])).then((pack) => response.end(pack.subarray(0, 60))),
    ],
    ['a page of its own', (_request, response) => void response.writeHead(500).end('sorry')],
  ]
  for (const [lie, behave] of lies) {
    await t.test(lie, async (t) => {
      const liar = await startStranger(t, 'liar', behave)
      const { fetcher, store, directory } = await openFetcher(t, [liar, honest])
      await fetcher.fetch(small)
      t.same(await store.missing(hashes(small)), [])
      t.equal(fetcher.counts.lied, 1)
      await fetcher.fetch([large])
      t.equal(fetcher.counts.lied, 1, 'the next one is asked of the honest first')
      t.same(await auditBlobs(directory), { wrong: [], count: small.length + 1 })
    })
  }
  await t.test('wrong bytes of a large blob', async (t) => {
    const liar = await startStranger(t, 'liar', (_request, response) => response.end(Buffer.alloc(large.sizeBytes, 7)))
    const { fetcher, store } = await openFetcher(t, [liar, honest])
    await fetcher.fetch([large])
    t.ok(await store.has(large.hash))
    t.equal(fetcher.counts.lied, 1)
  })
  await t.test('more bytes than the manifest says', async (t) => {
    const liar = await startStranger(t, 'liar', (_request, response) => response.end(Buffer.alloc(large.sizeBytes * 2)))
    const { fetcher, store } = await openFetcher(t, [liar, honest])
    await fetcher.fetch([large])
    t.ok(await store.has(large.hash))
  })
})

t.test('a peer that stalls is hung up on and another is asked', async (t) => {
  const honest = await startPeer(t, 'honest', [small[0]!, large], tempDirectory(t))
  const stalls: [string, TestBlob, Behave][] = [
    ['before its answer', small[0]!, () => {}],
    ['in a pack', small[0]!, (_request, response) => response.write(Buffer.alloc(10))],
    [
      'in a large blob',
      large,
      (_request, response) => {
        response.writeHead(200, { 'content-length': large.sizeBytes })
        response.write(large.bytes.subarray(0, 1000))
      },
    ],
  ]
  for (const [where, blob, behave] of stalls) {
    await t.test(where, async (t) => {
      const asked = Promise.withResolvers<void>()
      const hungUp = Promise.withResolvers<void>()
      const staller = await startStranger(t, 'staller', (request, response, body) => {
        response.once('close', hungUp.resolve)
        behave(request, response, body)
        asked.resolve()
      })
      const { fetcher, store, runtime } = await openFetcher(t, [staller, honest])
      const fetched = fetcher.fetch([blob])
      await asked.promise
      while (fetcher.counts.stalled === 0) {
        runtime.advance(IDLE_MS)
        await nextTurn()
      }
      await fetched
      await hungUp.promise
      t.ok(await store.has(blob.hash))
      t.match(fetcher.counts, { stalled: 1, lied: 0 })
    })
  }
})

t.test('a large blob goes on elsewhere where a peer broke off', async (t) => {
  const root = tempDirectory(t)
  const ranges: (string | undefined)[] = []
  const honest = await startStranger(t, 'honest', (request, response) => {
    ranges.push(request.headers.range)
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const contentRange = `bytes ${start}-${large.sizeBytes - 1}/${large.sizeBytes}`
    response.writeHead(start === 0 ? 200 : 206, {
      'content-length': large.sizeBytes - start,
      ...(start === 0 ? {} : { 'content-range': contentRange }),
    })
    response.end(large.bytes.subarray(start))
  })
  const breakOff =
    (bytes: Uint8Array): Behave =>
    (_request, response) => {
      response.writeHead(200, { 'content-length': large.sizeBytes })
      response.write(bytes, () => response.destroy())
    }
  await t.test('with the same bytes', async (t) => {
    const dying = await startStranger(t, 'dying', breakOff(large.bytes.subarray(0, 1_500_000)))
    const { fetcher, store } = await openFetcher(t, [dying, honest])
    await fetcher.fetch([large])
    t.ok(Buffer.compare(await store.read(large.hash), large.bytes) === 0)
    t.match(fetcher.counts, { failed: 1, resumed: 1, singles: 2 })
    t.match(ranges, [/^bytes=[1-9]\d*-$/])
  })
  ranges.length = 0
  await t.test('with wrong bytes before: it comes whole from one', async (t) => {
    const dying = await startStranger(t, 'dying', breakOff(Buffer.alloc(1_500_000, 9)))
    const { fetcher, store, directory } = await openFetcher(t, [dying, honest])
    await fetcher.fetch([large])
    t.ok(Buffer.compare(await store.read(large.hash), large.bytes) === 0)
    t.equal(ranges.at(-1), undefined)
    t.match(fetcher.counts, { lied: 0 }, 'the honest one is not blamed')
    t.same(await auditBlobs(directory), { wrong: [], count: 1 })
  })
  t.ok(root)
})

t.test('what no peer has is told, and asked for again', async (t) => {
  const root = tempDirectory(t)
  const [wanted] = small as [TestBlob]
  const poor = await startPeer(t, 'poor', [], `${root}/poor`)
  const rich = await startPeer(t, 'rich', [wanted], `${root}/rich`)
  const begin = async (t: Test, peers: BlobPeer[]) => {
    const opened = await openFetcher(t, peers)
    const told: (readonly BlobHash[])[] = []
    const lacking = Promise.withResolvers<void>()
    const onLacking = (missing: readonly BlobHash[]) => {
      told.push(missing)
      lacking.resolve()
    }
    const fetched = opened.fetcher.fetch([wanted], { onLacking })
    await lacking.promise
    t.same(told, [[wanted.hash]])
    return { ...opened, fetched, told }
  }
  await t.test('when peers change', async (t) => {
    const peers = [poor]
    const { fetcher, fetched, told } = await begin(t, peers)
    peers.push(rich)
    fetcher.peersChanged()
    await fetched
    t.same(told, [[wanted.hash], []])
  })
  await t.test('after a pause', async (t) => {
    const peers: BlobPeer[] = []
    const { runtime, fetched } = await begin(t, peers)
    peers.push(rich)
    runtime.advance(1000)
    await fetched
  })
  await t.test('unless it comes another way', async (t) => {
    const { store, fetched, told } = await begin(t, [poor])
    await store.put(wanted.hash, chunksOf(wanted.bytes))
    await fetched
    t.same(told, [[wanted.hash], []])
  })
})

t.test('a fetch ends by its signal, by a full disk, and with its fetcher', async (t) => {
  const root = tempDirectory(t)
  await t.test('signal', async (t) => {
    const asked = Promise.withResolvers<void>()
    const hungUp = Promise.withResolvers<void>()
    const staller = await startStranger(t, 'staller', (_request, response) => {
      response.once('close', hungUp.resolve)
      asked.resolve()
    })
    const { fetcher, runtime } = await openFetcher(t, [staller])
    const abort = new AbortController()
    const fetched = fetcher.fetch(small, { signal: abort.signal })
    await asked.promise
    abort.abort(new Error('a newer release won'))
    await t.rejects(fetched, { message: 'a newer release won' })
    await hungUp.promise
    t.match(fetcher.counts, { stalled: 0, failed: 0 })
    await t.rejects(fetcher.fetch(small, { signal: abort.signal }), { message: 'a newer release won' })
    t.equal(runtime.timers, 0)
  })
  await t.test('full disk', async (t) => {
    const honest = await startPeer(t, 'honest', [...small, large], root)
    const { fetcher } = await openFetcher(t, [honest], {
      statfs: async () => ({ bsize: 4096, blocks: 1e6, bavail: 0 }),
    })
    await t.rejects(fetcher.fetch(small), { code: 'MAKI_DISK_FULL' })
    await t.rejects(fetcher.fetch([large]), { code: 'MAKI_DISK_FULL' })
  })
  await t.test('closing', async (t) => {
    const { fetcher } = await openFetcher(t, [])
    const fetched = fetcher.fetch(small)
    const refused = t.rejects(fetched, { code: 'MAKI_UNREACHABLE' })
    await fetcher[Symbol.asyncDispose]()
    await refused
    await t.rejects(fetcher.fetch(small), { code: 'MAKI_UNREACHABLE' })
  })
})

/** A peer that answers each request well, not at all, cut short or wrong, as chance has it. */
const whim =
  (random: Random, blobs: ReadonlyMap<BlobHash, TestBlob>): Behave =>
  (request, response, body) => {
    const single = blobs.get((request.url ?? '').slice('/blobs/'.length) as BlobHash)
    const found = request.url === '/pack' ? askedHashes(body).flatMap((hash) => blobs.get(hash) ?? []) : []
    if (random.chance(0.15)) return response.destroy()
    if (random.chance(0.1)) return response.writeHead(random.pick([404, 500, 206, 302])).end()
    const send = (bytes: Buffer) => {
      if (random.chance(0.2) && bytes.length > 0) bytes[random.integer(bytes.length)]! ^= 1
      if (random.chance(0.3))
        response.write(bytes.subarray(0, random.integer(bytes.length + 1)), () => response.destroy())
      else response.end(bytes)
    }
    if (request.url === '/pack') return collect(encodePack(found.map(packItem))).then(send)
    if (single === undefined) return response.writeHead(404).end()
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const contentRange = { 'content-range': `bytes ${start}-${single.sizeBytes - 1}/${single.sizeBytes}` }
    response.writeHead(start === 0 ? 200 : 206, {
      'content-length': single.sizeBytes - start,
      ...(start === 0 ? {} : contentRange),
    })
    return send(Buffer.from(single.bytes.subarray(start)))
  }

for (const seed of seeds(12)) {
  t.test(`among peers of every kind all blobs arrive, and only right ones (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const big = Array.from({ length: 2 }, () => createBlob(createBytes(random, 1_100_000 + random.integer(400_000))))
    const all = [...small, ...big]
    const some = () => new Map(all.filter(() => random.chance(0.7)).map((blob) => [blob.hash, blob]))
    const everything = new Map(all.map((blob) => [blob.hash, blob]))
    const peers = [
      await startStranger(t, 'one', whim(random, some())),
      await startStranger(t, 'two', whim(random, some())),
      await startStranger(t, 'three', whim(random, everything)),
    ]
    const { fetcher, runtime, store, directory } = await openFetcher(t, random.shuffle(peers))
    let isDone = false
    const jobs = [random.shuffle(all), random.shuffle(all).slice(0, 9)].map((blobs) => fetcher.fetch(blobs))
    const fetched = Promise.all(jobs).finally(() => {
      isDone = true
    })
    while (!isDone) {
      // Short steps: pauses end, and nobody who is at work is taken for stalled.
      runtime.advance(runtime.timers > 0 ? 20 : 0)
      await nextTurn()
    }
    await fetched
    t.same(await store.missing(hashes(all)), [])
    t.same(await auditBlobs(directory), { wrong: [], count: all.length })
  })
}
