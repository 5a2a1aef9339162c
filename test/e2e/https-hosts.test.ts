import type { X509Certificate } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Hostname, type MemberKey, rankHolders } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { FOREIGN_ZONE, HttpsWorld, ZONE } from './support/https-world.ts'
import { delegateTo, RESOLVER } from './support/internet.ts'
import { writeProject } from './support/project.ts'
import { TlsVisitor } from './support/tls-visitor.ts'

/**
 * HTTPS by itself on three servers that `maki machine init` set up: zones delegated to them by parents of the test, a resolver that finds
 * its way from the root, and certificate authorities that resolve by it and are strict.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for servers that boot, for authorities, and for what was asked for to be everywhere.
const world = await HttpsWorld.open()
t.teardown(() => world[Symbol.asyncDispose]())
const { servers, internet, underlay } = world
const [amsterdam, newyork, singapore] = servers
const FOREIGN_HOST = `www.${FOREIGN_ZONE}`
const authority = await world.addAuthority(0)
const fallback = await world.addAuthority(1)
const roots = await Promise.all([authority, fallback].map((one) => one.manage('/roots/0')))
const visitor = new TlsVisitor(internet, world.scene.folder, 'visitor', roots.join(''))
/** Trusts the other authority alone. */
const helped = new TlsVisitor(internet, world.scene.folder, 'helped', String(roots[1]))
const CA_FILE = '/etc/makiatto/authorities.pem'
const keys = new Map<BootedHost, MemberKey>()

const acme = (more = '') => `[acme]
directory = "${authority.pebble.directory}"
ca_file = "${CA_FILE}"
${more}
[dns]
resolvers = ["${RESOLVER}:53"]
`

/** Resolves when each of the servers shows a certificate for the host that holds; gives them. */
async function certified(host: string, at: readonly BootedHost[] = servers): Promise<X509Certificate[]> {
  const shown: X509Certificate[] = []
  for (const server of at)
    shown.push(await eventually(`a certificate for ${host} at ${server.name}`, () => visitor.handshake(server, host)))
  return shown
}

/** Who wrote what is served for a host that somebody else's zone leads to us, as a server knows it. */
async function issuerOf(host: string, at: BootedHost): Promise<readonly MemberKey[]> {
  const all = await world.history.changes(at, 'certificate.set')
  return all.filter(({ change }) => change.name === host).map(({ operation }) => operation.author)
}

/** A host of the foreign zone whose certificate falls to that server to order. */
function hostOf(owner: BootedHost, label: string): string {
  for (let i = 0; ; i++) {
    const host = `${label}-${i}.${FOREIGN_ZONE}`
    const [first] = rankHolders(`certificate/${host}`, keys.values())
    if (first === keys.get(owner)) return host
  }
}

/** A host that leads to some of the servers, and becomes an alias by a node. */
async function addAlias(host: string, to: readonly BootedHost[], by: BootedHost = amsterdam): Promise<void> {
  await world.point(host, to)
  await world.history.write(by, { kind: 'alias.set', domain: ZONE, host: host as Hostname })
}

async function publish(): Promise<void> {
  const site = writeProject(world.scene.path('site'), {
    domain: ZONE,
    files: { 'index.html': 'hello' },
    more: `aliases = ["www.${ZONE}", "${FOREIGN_HOST}"]`,
  })
  await world.json(['sync'], site)
}

/** Every name of the site has a certificate at each server, and visitors are served with it. */
async function everywhere(t: Test): Promise<void> {
  for (const host of [ZONE, `www.${ZONE}`, FOREIGN_HOST, ...servers.map(({ name }) => `${name}.ns.${ZONE}`)]) {
    const shown = await certified(host)
    t.equal(new Set(shown.map(({ serialNumber }) => serialNumber)).size, 1, `${host}: one for all`)
  }
  const [release] = await world.json<{ preview: string }[]>(['release', 'list', ZONE])
  const preview = new URL(String(release?.preview)).hostname
  for (const server of servers)
    for (const host of [ZONE, `www.${ZONE}`, FOREIGN_HOST, preview])
      t.equal(await visitor.get(server, host), 'hello 2 200', `${host} at ${server.name}`)
}

t.test('three servers, and a resolver that finds them by the delegation', async (t) => {
  await world.init()
  for (const server of servers) {
    await server.write(CA_FILE, authority.pebble.apiCa + fallback.pebble.apiCa)
    const { self } = await world.history.status(server)
    keys.set(server, self)
  }
  await authority.shut()
  await world.configure(acme())
  await world.point(FOREIGN_HOST, servers)
  await publish()
  await world.history.agreement(servers)
  for (const { name, ipv4, ipv6 } of servers) {
    const host = `${name}.ns.${ZONE}`
    await eventually(`${host} by the resolver`, async () => {
      const found = await internet.resolve(host, 'A')
      if (found.join() === ipv4) return true
      throw new Error(found.join())
    })
    t.strictSame(await internet.resolve(host, 'AAAA'), [ipv6])
  }
  t.equal((await internet.resolve(`www.${ZONE}`, 'A')).length, 1)
  t.strictSame(await internet.resolve(FOREIGN_HOST, 'A'), servers.map(({ ipv4 }) => ipv4).sort())
})

t.test('an authority that cannot be reached: status says so, and certificates follow when it can', async (t) => {
  const said = await eventually('status to say what waits', async () => {
    const { certificates } = await world.json<{ certificates?: { waiting: { name: string; reason: string }[] } }>([
      'status',
    ])
    const waiting = certificates?.waiting ?? []
    if (waiting.some(({ reason }) => reason.includes(authority.pebble.directory))) return waiting
    throw new Error(JSON.stringify(certificates))
  })
  t.comment(JSON.stringify(said))
  await authority.open()
  const begunMs = Date.now()
  await everywhere(t)
  t.comment(`all of them at all servers after ${Date.now() - begunMs} ms`)
})

t.test('HTTP-01 is answered by a node that did not order', async (t) => {
  const host = hostOf(amsterdam, 'other')
  await addAlias(host, [newyork])
  await certified(host)
  t.strictSame(await issuerOf(host, singapore), [keys.get(amsterdam)])
})

t.test('another authority helps out while the first one is gone', async (t) => {
  await world.configure(acme(`fallback_directories = ["${fallback.pebble.directory}"]`))
  await authority.shut()
  const host = hostOf(newyork, 'fallback')
  await addAlias(host, servers)
  await certified(host)
  for (const server of servers) t.ok(await helped.handshake(server, host), `by the other one at ${server.name}`)
  await authority.open()
})

t.test('the plug of who orders is pulled while its challenge is shown', async (t) => {
  const host = hostOf(singapore, 'dead')
  // Nobody can look at what is shown meanwhile.
  await underlay.shutTcp(80)
  await addAlias(host, [amsterdam])
  await eventually('its challenge', async () => {
    const shown = await world.history.changes(amsterdam, 'challenge.set')
    return shown.some(({ operation, change }) => change.host === host && operation.author === keys.get(singapore))
      ? true
      : undefined
  })
  await singapore.powerOff()
  await underlay.openTcp(80)
  const begunMs = Date.now()
  await certified(host, [amsterdam, newyork])
  t.comment(`another one had it after ${Date.now() - begunMs} ms`)
  t.notOk((await issuerOf(host, amsterdam)).includes(keys.get(singapore) as MemberKey))
  await singapore.powerOn()
  await certified(host, [singapore])
})

t.test('both sides of a partition order; after it one certificate is everywhere, and both are valid', async (t) => {
  const host = hostOf(amsterdam, 'parted')
  await underlay.cut(
    [newyork, singapore].flatMap(({ name }): [string, string][] => [
      ['amsterdam', name],
      [name, 'amsterdam'],
    ]),
  )
  // By nodes, not by the operator, who would tell both sides.
  await addAlias(host, [amsterdam], amsterdam)
  const [first] = await certified(host, [amsterdam])
  await addAlias(host, [newyork, singapore], newyork)
  const [second, third] = await certified(host, [newyork, singapore])
  t.equal(second?.serialNumber, third?.serialNumber)
  t.not(first?.serialNumber, second?.serialNumber)
  await underlay.cut([])
  await world.history.agreement(servers)
  const shown = await certified(host)
  t.strictSame([...new Set(shown.map(({ serialNumber }) => serialNumber))], [second?.serialNumber], 'the later one')
  for (const { serialNumber } of [first, second] as X509Certificate[])
    t.match(await authority.manage(`/cert-status-by-serial/${serialNumber.toLowerCase()}`), 'Valid')
})

t.test('the delegation is checked, with glue that is old and a DS that was left', async (t) => {
  const check = () => world.operator.maki(['dns', 'nameserver-setup', '--check', ZONE, '--resolver', `${RESOLVER}:53`])
  const right = await check()
  t.equal(right.code, 0, `${right.stdout}${right.stderr}`)
  const delegation = delegateTo(ZONE, servers)
  const wrong = delegation.servers.map((server, i) => (i === 1 ? { ...server, addresses: ['198.51.100.99'] } : server))
  await world.delegate([{ ...delegation, servers: wrong, ds: [`12345 13 2 ${'AB'.repeat(32)}`] }])
  const { code, stdout, stderr } = await check()
  t.equal(code, 1, `${stdout}${stderr}`)
  t.match(stdout, '198.51.100.99')
  t.match(stdout, newyork.ipv4)
  t.match(stdout, /\bDS\b[\s\S]*SERVFAIL/)
  await world.delegate([delegation])
})

t.test('a machine was broken into: everything anew under new keys, the old ones revoked', async (t) => {
  const names = [ZONE, FOREIGN_HOST]
  const before = new Map<string, X509Certificate>()
  for (const name of names) before.set(name, (await certified(name))[0] as X509Certificate)
  const left = [amsterdam, newyork]
  await visitor.keepSession(amsterdam, ZONE)
  t.ok(await visitor.isResumed(newyork, ZONE), 'a session of one server goes on at another')
  await singapore.powerOff()
  // What somebody else's zone says of it is the owner's to change.
  await world.pointAll(left)
  const begunMs = Date.now()
  const { code, stdout, stderr } = await world.operator.maki([
    'machine',
    'remove',
    'singapore',
    '--compromised',
    '--yes',
  ])
  t.equal(code, 0, `${stdout}${stderr}`)
  t.comment(`done after ${Date.now() - begunMs} ms`)
  for (const name of names) {
    const old = before.get(name) as X509Certificate
    for (const one of await certified(name, left)) {
      t.not(one.serialNumber, old.serialNumber, name)
      t.notOk(one.publicKey.equals(old.publicKey), `${name}: another key`)
    }
    const path = `/cert-status-by-serial/${old.serialNumber.toLowerCase()}`
    await eventually(`${name} to be revoked`, async () =>
      (await authority.manage(path)).includes('Revoked') ? true : undefined,
    )
  }
  for (const server of left) t.notOk(await visitor.isResumed(server, ZONE), `${server.name} has other ticket keys`)
})
