import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { encodeCanonical, silentLog } from '../../../core/index.ts'
import { BlobStore, encodePack, startBlobServer } from '../../../replication/index.ts'
import { createRandom } from '../../support/seeds.ts'
import { chunksOf, collect, createBlob, createBytes, packItem } from '../blob-support.ts'

const random = createRandom(7)
const small = createBlob(Buffer.from('0123456789'))
const empty = createBlob(new Uint8Array())
const large = createBlob(createBytes(random, 3_000_000))
const absent = createBlob(Buffer.from('absent'))

async function start(t: Test) {
  const store = await BlobStore.open(t.testdir())
  await store.putPack(encodePack([small, empty, large].map(packItem)))
  const server = await startBlobServer({ store, host: '127.0.0.1', port: 0, log: silentLog })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}

t.test('a blob is served whole, in single ranges, and as its head', async (t) => {
  const { url } = await start(t)
  const ask = (range?: string, method = 'GET', blob = small) =>
    fetch(`${url}/blobs/${blob.hash}`, { method, headers: range === undefined ? {} : { range } })
  const cases: [string | undefined, number, string, string | null][] = [
    [undefined, 200, '0123456789', null],
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=3-', 206, '3456789', 'bytes 3-9/10'],
    ['bytes=3-99', 206, '3456789', 'bytes 3-9/10'],
    ['bytes=-4', 206, '6789', 'bytes 6-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    // What does not parse, and several ranges, may be answered whole (RFC 9110 section 14.2).
    ['bytes=5-3', 200, '0123456789', null],
    ['bytes=1-2,4-5', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ]
  for (const [range, status, body, contentRange] of cases) {
    const reply = await ask(range)
    t.equal(reply.status, status, `range ${range}`)
    t.equal(reply.headers.get('content-range'), contentRange, `range ${range}`)
    t.equal(await reply.text(), body, `range ${range}`)
  }
  const head = await ask(undefined, 'HEAD')
  t.equal(head.headers.get('content-length'), '10')
  t.equal(await head.text(), '')
  t.equal(await (await ask(undefined, 'GET', empty)).text(), '')
  t.equal((await ask('bytes=0-', 'GET', empty)).status, 416)
  const bytes = await collect((await ask('bytes=1000000-', 'GET', large)).body as AsyncIterable<Uint8Array>)
  t.ok(Buffer.compare(bytes, large.bytes.subarray(1_000_000)) === 0)
})

t.test('nothing but a hash is ever found', async (t) => {
  const { url, counts } = await start(t)
  const paths = ['/', '/blobs/', `/blobs/${absent.hash}`, '/blobs/..%2f..%2fetc%2fpasswd', `/blobs/${small.hash}/x`]
  for (const path of [...paths, `/blobs/${small.hash}?`, `/blobs/${small.hash.toUpperCase()}`])
    t.equal((await fetch(url + path)).status, 404, path)
  t.equal((await fetch(`${url}/blobs/${small.hash}`, { method: 'DELETE' })).status, 404)
  t.ok(counts.refused >= 7)
})

t.test('a pack has what is here of what was asked for', async (t) => {
  const { url } = await start(t)
  const ask = async (body: Uint8Array) => await fetch(`${url}/pack`, { method: 'POST', body: Buffer.from(body) })
  const hashes = [large, absent, small, empty].map(({ hash }) => Buffer.from(hash, 'hex'))
  const reply = await ask(encodeCanonical(hashes))
  t.equal(reply.status, 200)
  const pack = await collect(reply.body as AsyncIterable<Uint8Array>)
  t.ok(Buffer.compare(pack, await collect(encodePack([large, small, empty].map(packItem)))) === 0)
  t.equal((await ask(encodeCanonical([]))).status, 200)
  for (const wrong of [
    new Uint8Array(),
    encodeCanonical('x'),
    encodeCanonical(['x']),
    encodeCanonical([new Uint8Array(31)]),
  ])
    t.equal((await ask(wrong)).status, 400)
  t.equal((await ask(Buffer.alloc(200_000))).status, 413)
})

t.test('strange bytes and a peer that hangs up end nothing', async (t) => {
  const server = await start(t)
  for (const bytes of [
    Buffer.from('\0\xff\r\n\r\n'),
    Buffer.from(`GET /blobs/${large.hash} HTTP/1.1\r\nhost: x\r\n\r\n`),
  ]) {
    const socket = connect(server.address.port, '127.0.0.1')
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes)
    await Promise.race([once(socket, 'data'), closed])
    socket.destroy()
    await closed
  }
  t.equal((await fetch(`${server.url}/blobs/${small.hash}`)).status, 200)
})

t.test('a port that is taken is said to be', async (t) => {
  const server = await start(t)
  await using store = await BlobStore.open(t.testdir())
  await store.put(small.hash, chunksOf(small.bytes))
  const options = { store, host: '127.0.0.1', port: server.address.port, log: silentLog }
  await t.rejects(startBlobServer(options), { code: 'MAKI_PORT_IN_USE', hint: /ss -ltnp/ })
  await t.rejects(startBlobServer({ ...options, host: '203.0.113.1' }), { code: 'MAKI_CONFIG' })
})
