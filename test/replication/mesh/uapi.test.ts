import t from 'tap'
import { formatWireGuardKey, MakiError } from '../../../core/index.ts'
import type { TunnelPeerChange } from '../../../replication/mesh/ports.ts'
import { encodeUapiSet, parseUapiAnswer } from '../../../replication/mesh/uapi.ts'
import { wireGuardPublicKey } from '../../../replication/mesh/wireguard-public-key.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** An answer as a program writes it, and what it says. */
function makeAnswer(random: Random) {
  const privateKey = random.bytes(32)
  const listenPort = 1 + random.integer(65_535)
  const lines = [`private_key=${hex(privateKey)}`, `listen_port=${listenPort}`]
  if (random.chance(0.3)) lines.push('fwmark=7')
  const peers = Array.from({ length: random.integer(6) }, () => {
    const key = random.bytes(32)
    const host = random.pick(['198.51.100.7', '2001:db8::7', 'fe80::1%eth0', undefined])
    const port = 1 + random.integer(65_535)
    const allowedIps = Array.from({ length: random.integer(4) }, (_, i) =>
      random.pick([`fd00::${i}/128`, `10.0.0.${i}/32`]),
    )
    const secs = random.pick([0, 1_700_000_000 + random.integer(1000)])
    const nanos = secs === 0 ? 0 : random.integer(1_000_000_000)
    const [received, sent, keepalive] = [random.integer(2 ** 40), random.integer(2 ** 40), random.integer(65_536)]
    lines.push(`public_key=${hex(key)}`, `preshared_key=${'0'.repeat(64)}`, 'protocol_version=1')
    if (host !== undefined) lines.push(`endpoint=${host.includes(':') ? `[${host}]` : host}:${port}`)
    lines.push(`last_handshake_time_sec=${secs}`, `last_handshake_time_nsec=${nanos}`)
    lines.push(`tx_bytes=${sent}`, `rx_bytes=${received}`, `persistent_keepalive_interval=${keepalive}`)
    lines.push(...allowedIps.map((network) => `allowed_ip=${network}`))
    return {
      publicKey: formatWireGuardKey(key),
      endpoint: host === undefined ? undefined : { host, port },
      allowedIps,
      keepaliveSecs: keepalive,
      lastHandshakeMs: secs === 0 ? undefined : secs * 1000 + Math.floor(nanos / 1e6),
      receivedBytes: received,
      sentBytes: sent,
    }
  })
  const text = `${lines.join('\n')}\nerrno=0\n\n`
  return { text, status: { publicKey: wireGuardPublicKey(privateKey), listenPort, peers } }
}

for (const seed of seeds(50)) {
  t.test(
    `seed ${seed}: an answer says what the program wrote; cut or damaged it is refused or read, and never worse`,
    async (t) => {
      const random = createRandom(seed)
      const { text, status } = makeAnswer(random)
      t.strictSame(parseUapiAnswer(text), { status, errno: 0 })
      t.strictSame(parseUapiAnswer(text.replace('errno=0', 'errno=-98')).errno, 98)
      for (let i = 0; i < 40; i++) {
        const cut = text.slice(0, random.integer(text.length))
        t.throws(() => parseUapiAnswer(cut), { code: 'MAKI_PROTOCOL' })
        const at = random.integer(text.length)
        const damaged =
          text.slice(0, at) + String.fromCharCode(random.integer(256)) + text.slice(at + random.integer(3))
        try {
          parseUapiAnswer(damaged)
        } catch (error) {
          t.ok(error instanceof MakiError && error.code === 'MAKI_PROTOCOL', `${error}`)
          t.notMatch(String(error), /[0-9a-f]{16}/, 'no key is quoted')
        }
      }
    },
  )
}

t.test('what is no answer', async (t) => {
  const key = `public_key=${'0'.repeat(64)}\n`
  const wrong = [
    '',
    '\n\n',
    'errno=0\n',
    'errno=zero\n\n',
    'errno=0\nerrno=0\n\n',
    `${key}${key}errno=0\n\n`,
    `${key}listen_port=5\nerrno=0\n\n`,
    `${key}private_key=${'0'.repeat(64)}\nerrno=0\n\n`,
    `${key}allowed_ip=fd00::1\nerrno=0\n\n`,
    `${key}allowed_ip=fd00::1/129\nerrno=0\n\n`,
    `${key}allowed_ip=10.0.0.1/33\nerrno=0\n\n`,
    `${key}endpoint=example.com:5\nerrno=0\n\n`,
    `${key}endpoint=198.51.100.1:0\nerrno=0\n\n`,
    `${key}endpoint=2001:db8::1:5\nerrno=0\n\n`,
    `${key}rx_bytes=-1\nerrno=0\n\n`,
    `${key}rx_bytes=99999999999999999\nerrno=0\n\n`,
    'listen_port=65536\nerrno=0\n\n',
    'listen_port\nerrno=0\n\n',
    `public_key=${'0'.repeat(63)}\nerrno=0\n\n`,
  ]
  for (const text of wrong) t.throws(() => parseUapiAnswer(text), { code: 'MAKI_PROTOCOL' }, JSON.stringify(text))
})

t.test('a change is written as the protocol has it', async (t) => {
  const [a, b] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const text = encodeUapiSet({
    privateKey: Buffer.alloc(32, 7),
    listenPort: 51880,
    peers: [
      { publicKey: formatWireGuardKey(a), remove: true },
      {
        publicKey: formatWireGuardKey(b),
        endpoint: { host: '2001:db8::1', port: 5 },
        keepaliveSecs: 25,
        allowedIps: ['fd00::1/128', '10.0.0.0/8'],
      },
    ],
  })
  t.equal(
    text,
    [
      'set=1',
      `private_key=${'07'.repeat(32)}`,
      'listen_port=51880',
      `public_key=${'01'.repeat(32)}`,
      'remove=true',
      `public_key=${'02'.repeat(32)}`,
      'endpoint=[2001:db8::1]:5',
      'persistent_keepalive_interval=25',
      'replace_allowed_ips=true',
      'allowed_ip=fd00::1/128',
      'allowed_ip=10.0.0.0/8',
      '',
      '',
    ].join('\n'),
  )
})

t.test('nothing that is said of a peer becomes a line of its own', async (t) => {
  const publicKey = formatWireGuardKey(Buffer.alloc(32, 3))
  const injected = '\nprivate_key=00'
  const wrong: readonly Partial<TunnelPeerChange>[] = [
    { publicKey: `${publicKey}${injected}` as typeof publicKey },
    { publicKey: 'AAAA' as typeof publicKey },
    { endpoint: { host: `198.51.100.1${injected}`, port: 5 } },
    { endpoint: { host: `fe80::1%a${injected}`, port: 5 } },
    { endpoint: { host: 'example.com', port: 5 } },
    { endpoint: { host: '198.51.100.1', port: 0 } },
    { endpoint: { host: '198.51.100.1', port: 65_536 } },
    { keepaliveSecs: 1.5 },
    { keepaliveSecs: -1 },
    { keepaliveSecs: 65_536 },
    { allowedIps: [`fd00::1/128${injected}`] },
    { allowedIps: ['fd00::1'] },
    { allowedIps: ['10.0.0.1/33'] },
  ]
  for (const peer of wrong) {
    t.throws(() => encodeUapiSet({ peers: [{ publicKey, ...peer }] }), { code: 'MAKI_INVALID' }, JSON.stringify(peer))
  }
  t.throws(() => encodeUapiSet({ peers: [{ publicKey }, { publicKey }] }), { code: 'MAKI_INVALID' })
  t.throws(() => encodeUapiSet({ privateKey: new Uint8Array(31) }), { code: 'MAKI_INVALID' })
  t.throws(() => encodeUapiSet({ listenPort: 0 }), { code: 'MAKI_INVALID' })
})
