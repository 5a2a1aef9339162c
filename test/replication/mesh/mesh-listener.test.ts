import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { silentLog } from '../../../core/index.ts'
import { encodeSocketAddress, listenAhead } from '../../../replication/mesh/mesh-listener.ts'
import { createMeshNetwork } from '../../../replication/mesh/mesh-network.ts'
import { chooseMtu } from '../../../replication/mesh/underlay.ts'
import { startBlobServer } from '../../../replication/transfer/blob-server.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** What a connection gets before it ends; nothing where it is ended at once. */
async function ask(port: number, text: string): Promise<string> {
  const socket = connect({ host: '::1', port })
  let got = ''
  socket.on('data', (chunk) => {
    got += chunk.toString('latin1')
    socket.end()
  })
  socket.on('error', () => {})
  socket.on('connect', () => socket.write(text))
  await once(socket, 'close')
  return got
}

t.test('it listens on an address that this machine does not have, once', async (t) => {
  const at = { host: 'fd00:1234:5678::9:1', port: 0 }
  const server = createServer()
  await listenAhead(server, at)
  t.teardown(() => server.close())
  const { address, port } = server.address() as AddressInfo
  t.equal(address, at.host)
  await t.rejects(listenAhead(createServer(), { ...at, port }), { code: 'MAKI_PORT_IN_USE', hint: /ss -ltnp/ })
})

for (const seed of seeds(50)) {
  t.test(`an address is encoded as it is (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes = random.bytes(16).map((byte) => (random.chance(0.6) ? 0 : byte))
    const groups = Array.from({ length: 8 }, (_, i) =>
      Buffer.from(bytes)
        .readUInt16BE(i * 2)
        .toString(16),
    )
    const host = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
    const port = random.integer(65_536)
    // In IPv4's own notation the mesh has none.
    const encoded = encodeSocketAddress(host, port)
    t.strictSame([...encoded.subarray(8, 24)], [...bytes], host)
    t.equal(encoded.readUInt16BE(2), port)
  })
}

t.test('gossip hears nobody whose address is no member’s', async (t) => {
  let isMember = false
  const network = createMeshNetwork({ accepts: (host) => isMember && host === '::1' })
  const listener = await network.listen(
    { host: '::1', port: 0 },
    (connection) => {
      connection.attach({
        opened: () => connection.write(Buffer.from('hello')),
        received: () => {},
        ended: () => connection.close(),
        failed: () => {},
        closed: () => {},
      })
    },
    () => {},
  )
  const { port } = listener.address
  t.equal(await ask(port, 'x'), '')
  isMember = true
  t.equal(await ask(port, 'x'), 'hello')
  await listener.close()
})

t.test('the blob server hears nobody either, and nobody who is a member no more', async (t) => {
  let members = 0
  const store = { sizes: async () => [undefined] } as never
  const accepts = () => members-- > 0
  await using server = await startBlobServer({
    store,
    host: '::1',
    port: 0,
    log: silentLog,
    accepts,
    listen: listenAhead,
  })
  const request = `GET /blobs/${'a'.repeat(64)} HTTP/1.1\r\nHost: x\r\n\r\n`
  t.equal(await ask(server.address.port, request), '')
  t.equal(server.counts.requests, 0, 'it was not even read')
  members = 1
  t.match(await ask(server.address.port, request), / 404 /, 'removed between its connection and its request')
  t.equal(server.counts.refused, 2)
})

t.test('the MTU is what fits through the least way', async (t) => {
  t.equal(chooseMtu([]), 1420)
  t.equal(chooseMtu([{ isIPv6: false, mtu: 1480 }]), 1420)
  t.equal(chooseMtu([{ isIPv6: true, mtu: 1480 }]), 1400)
  t.equal(
    chooseMtu([
      { isIPv6: true, mtu: 1300 },
      { isIPv6: false, mtu: 9000 },
    ]),
    1280,
  )
})
