import { writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { TestNetwork } from '../../e2e/support/network.ts'
import { CertificateMaker } from '../../support/certificate-maker.ts'
import type { Child } from '../../support/child.ts'
import { buildJsGuest } from '../../support/guests/build-js.ts'
import { fromBig, toBig } from './big-address.ts'
import { buildDial } from './guests/build.ts'

/**
 * Two machines on a network that nothing else is connected to. Both answer HTTP at every address, of which one of theirs is public:
 * what a guest reaches of all of it is what was said to be allowed, counted where connections arrive. That everything can be
 * reached from there is shown first.
 */

const HERE = import.meta.dirname
const SERVER = join(HERE, 'forbidden-server.ts')
const GUEST = join(HERE, 'forbidden-guest.ts')

/** Of the other machine. */
const FOREIGN = ['10.0.0.4', '172.16.5.4', '192.168.7.4', '100.64.0.4', '169.254.169.254', '198.18.0.4', '192.0.2.4']
const FOREIGN_6 = ['fd00:1::4', '2001:db8:1::4', '64:ff9b::a00:4', '2002:a00:4::4', '3fff::4', 'fec0::4']
/** Of the machine that guests run on. */
const OWN = ['127.0.0.1', '127.8.8.8', '0.0.0.0', '10.0.0.9', '192.168.7.9', '1.2.3.9']
const OWN_6 = ['::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:10.0.0.4', 'fd00:1::9', '2a00:1::9']
const ALL = [...FOREIGN, ...FOREIGN_6, ...OWN, ...OWN_6]

const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address)

const NAMES = ['loop', 'metadata', 'mapped', 'private', 'own'].map((name) => `${name}.example`)
/** Of 127.0.0.1 and its like. */
const SPELLINGS = [
  ...['2130706433', '0x7f000001', '0x7f.0x0.0x0.0x1', '0177.0.0.1', '017700000001', '127.1', '127.0.1', '127.0.0.1.'],
  ...['localhost', 'localhost.', 'a.localhost', 'LOCALHOST', 'ip6-localhost', '0', '0.0.0.0.', '[::ffff:127.0.0.1]'],
  ...[
    '[0:0:0:0:0:0:0:1]',
    '[::127.0.0.1]',
    '[::1%lo]',
    '[fe80::1%25eth0]',
    'good.example@127.0.0.1',
    '127.0.0.1#@x.example',
  ],
  ...['127。0。0。1', '①②⑦.0.0.1', 'ｌｏｃａｌｈｏｓｔ', '169.254.43518', '3232237316', '%31%32%37.0.0.1'],
]

const FORBIDDEN = [
  ...ALL.map((address) => `tcp ${address} 8000`),
  ...ALL.flatMap((address) => [`http http://${bracketed(address)}:8000/`, `http https://${bracketed(address)}:8443/`]),
  ...[...SPELLINGS, ...NAMES].flatMap((name) => [`http http://${name}:8000/`, `tcp ${name} 8000`]),
  ...NAMES.map((name) => `http https://${name}:8443/`),
  ...[...NAMES, 'localhost', '2130706433'].map((name) => `resolve ${name}`).filter((told) => !told.includes('own')),
  'tcp 1.2.3.9 80',
  'tcp 1.2.3.4 25',
  'http http://1.2.3.4:25/',
  'http http://own.example:8000/',
  'tcp fe80::1%eth0 8000',
]

type Allowed = readonly [told: string, outcome: string]

const ALLOWED: readonly Allowed[] = [
  ['tcp 1.2.3.4 8000', 'open'],
  ['tcp 2a00:1::4 8000', 'open'],
  ['http http://1.2.3.4:8000/', '200 reached'],
  ['http http://[2a00:1::4]:8000/', '200 reached'],
  ['http http://good.example:8000/', '200 reached'],
  ['http http://good6.example:8000/', '200 reached'],
  ['http https://good.example:8443/', '200 reached'],
  ['http http://mixed.example:8000/', '200 reached'],
  ['http http://good.example:8000/redirect', '302 reached'],
  ['http https://good6.example:8443/', 'tls-certificate-error'],
  // As a visitor reaches it.
  ['http http://1.2.3.9/', '200 reached'],
  ['http http://own.example/', '200 reached'],
  ['resolve good.example', '1.2.3.4'],
  ['resolve mixed.example', '1.2.3.4'],
]

t.test('a guest reaches public addresses, and no other', { timeout: 240_000 }, async (t) => {
  await using network = await TestNetwork.open(['node', 'other'])
  const [node, other] = [network.host('node'), network.host('other')]
  for (const [host, last] of [
    [node, 9],
    [other, 4],
  ] as const) {
    for (const net of ['1.2.3.', '10.0.0.', '172.16.5.', '192.168.7.', '100.64.0.', '198.18.0.', '192.0.2.'])
      await host.run('ip', 'addr', 'add', `${net}${last}/24`, 'dev', 'eth0')
    for (const net of ['2a00:1::', 'fd00:1::', '2001:db8:1::', '2002:a00:4::', '3fff::', 'fec0::'])
      await host.run('ip', 'addr', 'add', `${net}${last}/64`, 'dev', 'eth0', 'nodad')
  }
  await other.run('ip', 'addr', 'add', '169.254.169.254/16', 'dev', 'eth0')
  await node.run('ip', 'addr', 'add', '169.254.1.9/16', 'dev', 'eth0')
  await other.run('ip', 'addr', 'add', '64:ff9b::a00:4/96', 'dev', 'eth0', 'nodad')
  await node.run('ip', 'addr', 'add', '64:ff9b::a00:9/96', 'dev', 'eth0', 'nodad')

  using maker = new CertificateMaker()
  const { chain, key } = maker.make(['good.example'])
  const folder = t.testdir({})
  const files = [join(folder, 'chain.pem'), join(folder, 'key.pem')] as const
  writeFileSync(files[0], chain)
  writeFileSync(files[1], key, { mode: 0o600 })
  await using otherServer = other.start([process.execPath, SERVER, 'serve', ...files])
  await using ownServer = node.start([process.execPath, SERVER, 'serve', ...files])
  for (const server of [otherServer, ownServer]) await server.waitForLine((line) => line === '"ready"')

  await using prober = node.start([process.execPath, SERVER, 'probe', ...ALL, '1.2.3.4'])
  await prober.ended
  const unreached = read(prober).filter(({ reached }) => reached === false)
  t.strictSame(unreached, [], 'without the rules of guests everything here can be reached')
  t.equal(prober.lines.length, ALL.length + 1)

  const env = { ...process.env, NODE_EXTRA_CA_CERTS: maker.caFile }
  const run = async (how: string, told: readonly string[]) => {
    await using guest = node.start([process.execPath, GUEST, how, ...told], { env })
    await guest.ended
    const lines = read(guest)
    const outcomes = lines.filter(({ told }) => told !== undefined).map(({ last }) => String(last))
    if (outcomes.length !== told.length) throw new Error(guest.output)
    return { outcomes, counters: lines.at(-1)?.counters }
  }
  /** Resolves when both servers have told of all that came to them until now. */
  const toldAll = async () => {
    const servers = [otherServer, ownServer].map((server) => [server, server.lines.length] as const)
    await run('asks', ['http http://1.2.3.4:8000/end', 'http http://1.2.3.9:80/end'])
    for (const [server, from] of servers) await server.waitForLine((line) => line.includes('"end"'), from)
  }

  /** Does all that is forbidden and all that is allowed, and looks at what came of it on both sides. */
  const holds = async (t: Test, how: string, forbidden: readonly string[], allowed: readonly Allowed[]) => {
    await toldAll()
    const from = [otherServer.lines.length, ownServer.lines.length] as const
    const told = forbidden.flatMap((told, i) => [told, ...(i % 10 === 0 ? ['http http://flip.example:8000/'] : [])])
    const all = await run(how, [...told, ...allowed.map(([told]) => told)])
    const [outcomes, reached] = [all.outcomes.slice(0, told.length), all.outcomes.slice(told.length)]
    const flips = outcomes.filter((_, i) => told[i] === 'http http://flip.example:8000/')
    const [good = '', bad = ''] = flips[0]?.startsWith('200')
      ? ['200 reached', PROHIBITED]
      : [PROHIBITED, '200 reached']
    t.strictSame(
      flips,
      flips.map((_, i) => (i % 2 === 0 ? good : bad)),
      'every second time the name means this machine',
    )
    const odd = told
      .map((told, i) => `${told}: ${outcomes[i]}`)
      .filter((line) => !line.includes('flip.example') && !REFUSED.test(line))
    t.strictSame(odd, [], 'each is refused, none fails by chance')
    t.strictSame(
      reached,
      allowed.map(([, outcome]) => outcome),
      'the same calls reach what is allowed',
    )
    const count = (what: string) => allowed.filter(([told]) => told.startsWith(what)).length
    t.match(all.counters, { connections: count('tcp'), failed: 1 }, 'nothing was let through and failed but TLS')
    await toldAll()
    const came = (server: Child, from: number) => read(server, from).filter(({ to }) => to !== undefined)
    const strangers = came(otherServer, from[0]).filter(
      ({ to, port }) => !['::ffff:1.2.3.4', '2a00:1::4'].includes(String(to)) || port === 25,
    )
    t.strictSame(strangers, [], 'nothing came to another address of the other machine')
    const own = came(ownServer, from[1]).filter(({ to, port }) => to !== '::ffff:1.2.3.9' || port !== 80)
    t.strictSame(own, [], 'and to this one as visitors come, or not at all')
    t.ok(came(otherServer, from[0]).length >= 10 + Math.floor(flips.length / 2), 'connections are counted')
  }

  await t.test('what a process asks that was taken over', (t) => holds(t, 'asks', FORBIDDEN, ALLOWED))

  await t.test('what components do', async (t) => {
    writeFileSync(join(folder, 'fetch.wasm'), await buildJsGuest('http-fetch'))
    writeFileSync(join(folder, 'dial.wasm'), await buildDial())
    const spelled = (told: string) => {
      const [what = '', where = '', port] = told.split(' ')
      return what === 'tcp' && where.includes(':') ? `tcp ${fromBig(toBig(where))} ${port}` : told
    }
    // A socket is given an address, not a text that may be one.
    const forbidden = FORBIDDEN.filter((told) => !told.startsWith('tcp') || (isAddress(told) && !MAPPED.test(told)))
    await holds(
      t,
      folder,
      forbidden.map(spelled),
      ALLOWED.map(([told, outcome]) => [spelled(told), outcome] as const),
    )
  })
})

const PROHIBITED = 'destination-ip-prohibited'
/** With an IPv4 address or a zone at its end: a socket has groups. */
const MAPPED = /^tcp .*:.*[.%]/
const isAddress = (told: string): boolean => isIP(told.split(' ')[1] ?? '') !== 0
/** By sockets: denied, no address, no such name. By HTTP: denied, or no URI. */
const REFUSED =
  /: (access-denied|invalid-argument|name-unresolvable|destination-ip-prohibited|http-request-denied|http-request-uri-invalid)$/

function read(child: Child, from = 0): Record<string, unknown>[] {
  return child.lines.slice(from).flatMap((line) => {
    const value: unknown = line.startsWith('{') ? JSON.parse(line) : undefined
    return typeof value === 'object' && value !== null ? [{ ...value }] : []
  })
}
