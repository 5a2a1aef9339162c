import t from 'tap'
import { formatWireGuardKey, MakiError } from '../../../core/index.ts'
import {
  attribute,
  ipBytes,
  listAttributes,
  nested,
  parseNetwork,
  readAttributes,
  u8,
  u16,
} from '../../../replication/mesh/netlink/index.ts'
import type { TunnelPeer, TunnelPeerChange, TunnelStatus } from '../../../replication/mesh/ports.ts'
import { decodeDevice, encodeSetDevice } from '../../../replication/mesh/wireguard-netlink.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

/** A device, and the answers that a kernel gives of it, cut as it pleases: linux/wireguard.h. */
function makeDevice(random: Random): { status: TunnelStatus; answers: Buffer[] } {
  const publicKey = random.chance(0.8) ? formatWireGuardKey(random.bytes(32)) : undefined
  const listenPort = random.integer(65_536)
  const peers = Array.from({ length: random.integer(8) }, () => makePeer(random))
  const answers: Buffer[] = []
  let parts: Buffer[] = []
  const flush = (): void => {
    const first = answers.length === 0
    const key = publicKey === undefined ? [] : [attribute(4, Buffer.from(publicKey, 'base64'))]
    const device = first ? [attribute(1, Buffer.alloc(4)), ...key, attribute(6, u16(listenPort))] : []
    answers.push(Buffer.concat([...device, attribute(2, Buffer.from('wawa0\0')), nested(8, ...parts)]))
    parts = []
  }
  for (const peer of peers) {
    const at = random.integer(peer.allowedIps.length + 1)
    parts.push(encodePeer(peer, peer.allowedIps.slice(0, at), true))
    for (const network of peer.allowedIps.slice(at)) {
      if (random.chance(0.3)) flush()
      parts.push(encodePeer(peer, [network], false))
    }
    if (random.chance(0.3)) flush()
  }
  flush()
  return { status: { publicKey, listenPort, peers }, answers }
}

const makePeer = (random: Random): TunnelPeer => ({
  publicKey: formatWireGuardKey(random.bytes(32)),
  endpoint: random.pick([
    undefined,
    { host: '198.51.100.7', port: 1 + random.integer(65_535) },
    { host: '2001:db8::7', port: 1 + random.integer(65_535) },
  ]),
  allowedIps: random
    .shuffle(['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd00::1/128', 'fd00:0:0:1::/64', '::ffff:1.2.3.4/128'])
    .slice(random.integer(7)),
  keepaliveSecs: random.integer(65_536),
  lastHandshakeMs: random.pick([undefined, 1_700_000_000_000 + random.integer(1e9)]),
  receivedBytes: random.integer(2 ** 45),
  sentBytes: random.integer(2 ** 45),
})

function encodePeer(peer: TunnelPeer, networks: readonly string[], isWhole: boolean): Buffer {
  const u64 = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  const atMs = peer.lastHandshakeMs ?? 0
  const time = Buffer.concat([u64(Math.floor(atMs / 1000)), u64((atMs % 1000) * 1_000_000)])
  return nested(
    0,
    attribute(1, Buffer.from(peer.publicKey, 'base64')),
    ...(isWhole
      ? [
          attribute(2, Buffer.alloc(32)),
          ...(peer.endpoint === undefined ? [] : [attribute(4, sockaddr(peer.endpoint))]),
          attribute(5, u16(peer.keepaliveSecs)),
          attribute(6, time),
          attribute(7, u64(peer.receivedBytes)),
          attribute(8, u64(peer.sentBytes)),
        ]
      : []),
    nested(
      9,
      ...networks.map((text) => {
        const { family, bytes, bits } = parseNetwork(text)
        return nested(0, attribute(1, u16(family)), attribute(2, bytes), attribute(3, u8(bits)))
      }),
    ),
  )
}

/** `struct sockaddr_in` and `struct sockaddr_in6` of ip(7) and ipv6(7). */
function sockaddr({ host, port }: { host: string; port: number }): Buffer {
  const address = ipBytes(host)
  const head = Buffer.of(address.length === 4 ? 2 : 10, 0, port >> 8, port & 255)
  return address.length === 4
    ? Buffer.concat([head, address, Buffer.alloc(8)])
    : Buffer.concat([head, Buffer.alloc(4), address, Buffer.alloc(4)])
}

for (const seed of seeds(60)) {
  t.test(
    `seed ${seed}: a device is read as the kernel tells it, however it cuts it; damage is refused or read, never worse`,
    async (t) => {
      const random = createRandom(seed)
      const { status, answers } = makeDevice(random)
      t.strictSame(decodeDevice(answers), status)
      for (let i = 0; i < 60; i++) {
        const damaged = answers.map((answer) => Buffer.from(answer))
        const one = random.pick(damaged)
        one[random.integer(one.length)] = random.integer(256)
        const cut = random.chance(0.5)
          ? damaged
          : [...damaged.slice(0, -1), one.subarray(0, random.integer(one.length))]
        try {
          decodeDevice(cut)
        } catch (error) {
          t.ok(error instanceof MakiError && error.code === 'MAKI_PROTOCOL', `${error}`)
        }
      }
    },
  )

  t.test(`seed ${seed}: a change says all of itself, in messages that fit`, async (t) => {
    const random = createRandom(seed)
    const peers = Array.from({ length: random.integer(300) }, (_, i): TunnelPeerChange => {
      const publicKey = formatWireGuardKey(random.bytes(32))
      if (random.chance(0.1)) return { publicKey, remove: true }
      const many = random.chance(0.03) ? 1000 : 3
      const networks = Array.from(
        { length: random.integer(many) },
        (_, n) => `fd00::${(i + 1).toString(16)}:${(n + 1).toString(16)}/128`,
      )
      return {
        publicKey,
        ...(random.chance(0.5) ? { allowedIps: networks } : {}),
        ...(random.chance(0.5) ? { keepaliveSecs: random.integer(65_536) } : {}),
        ...(random.chance(0.5) ? { endpoint: { host: random.pick(['198.51.100.7', '2001:db8::7']), port: 9 } } : {}),
      }
    })
    const messages = encodeSetDevice('wawa0', { peers })
    const read = new Map<
      string,
      { flags: number; networks: number; keepalive: number | undefined; endpoint: Buffer | undefined }
    >()
    for (const message of messages) {
      t.ok(message.length < 65_000, `${message.length} bytes`)
      const device = readAttributes(message)
      t.strictSame(device.get(2)?.toString(), 'wawa0\0')
      for (const { value } of listAttributes(device.get(8) ?? Buffer.alloc(0))) {
        const peer = readAttributes(value)
        const key = peer.get(1)?.toString('base64') as string
        const networks = listAttributes(peer.get(9) ?? Buffer.alloc(0)).length
        const before = read.get(key)
        if (before !== undefined) {
          t.notOk(peer.has(3), 'a part that follows replaces nothing')
          before.networks += networks
          continue
        }
        read.set(key, {
          flags: peer.get(3)?.readUInt32LE() ?? 0,
          networks,
          keepalive: peer.get(5)?.readUInt16LE(),
          endpoint: peer.get(4),
        })
      }
    }
    const wanted = peers.map((peer) => [
      peer.publicKey,
      {
        flags: peer.remove === true ? 1 : peer.allowedIps === undefined ? 0 : 2,
        networks: peer.allowedIps?.length ?? 0,
        keepalive: peer.keepaliveSecs,
        endpoint: peer.endpoint === undefined ? undefined : sockaddr(peer.endpoint),
      },
    ])
    t.strictSame([...read], wanted)
  })
}
