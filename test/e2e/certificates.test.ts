import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Change, Hostname } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { Pebble } from '../support/pebble.ts'
import type { Daemon } from './support/daemons.ts'
import { rootHints, startParents, startResolver } from './support/name-servers.ts'
import { NetworkedCluster } from './support/networked-cluster.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'

/**
 * Nobody asks for certificates, and all names have one: three daemons with networks of their own, a delegation from a root of the test, a
 * resolver that follows it, and authorities that are strict and resolve by it.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for authorities, and for what nodes do in their time.
const APEX = 'shop.example' as Hostname
const OUTSIDE = 'www.elsewhere.example' as Hostname
/** Of a certificate whose renewal is waited for: half of it is left for that. */
const LIFE_MS = 100_000
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const net = await NetworkedCluster.start(scene, { others: ['parents', 'resolver', 'authority', 'client'] })
t.teardown(() => net[Symbol.asyncDispose]())
const [parents, resolver, authority, client] = ['parents', 'resolver', 'authority', 'client'].map((name) =>
  net.host(name),
) as [
  ReturnType<typeof net.host>,
  ReturnType<typeof net.host>,
  ReturnType<typeof net.host>,
  ReturnType<typeof net.host>,
]
const nodes = net.daemons.map(({ name }) => net.host(name))
const addressOf = (daemon: Daemon): string => net.host(daemon.name).ipv4

const maki = (args: readonly string[], cwd = scene.folder) =>
  scene.maki(args, { cwd, env: { MAKIATTO_PROFILE: net.cluster.profile } })
const site = writeProject(scene.path('shop'), {
  domain: APEX,
  files: { 'index.html': 'shop' },
  more: `aliases = ["www.${APEX}", "deep.down.${APEX}", "${OUTSIDE}"]`,
})
const synced = await maki(['sync', '--wait', 'all'], site)
if (synced.code !== 0) throw new Error(synced.stderr)

const delegates = nodes.map(({ name, ipv4 }) => ({ name: `${name}.ns.${APEX}`, ipv4 }))
const outside = nodes.map(({ ipv4 }) => `${OUTSIDE}. A ${ipv4}`)
const above = await startParents(parents, scene, APEX, delegates, outside)
t.teardown(() => above[Symbol.asyncDispose]())
const unbound = await startResolver(resolver, scene, rootHints(parents), APEX)
t.teardown(() => unbound[Symbol.asyncDispose]())

const openPebble = (ports: readonly [number, number], lifeSeconds?: number) =>
  Pebble.open({
    ...(lifeSeconds === undefined ? {} : { lifeSeconds }),
    address: authority.ipv4,
    ports,
    resolver: `${resolver.ipv4}:53`,
    httpPort: 80,
    refusedNonces: 20,
    wrapper: authority.wrapper,
  })
const ask = (pebble: Pebble, path: string): Promise<string> => {
  const { port, hostname } = new URL(pebble.directory)
  return authority.run('curl', '-sk', `https://${hostname}:${Number(port) + 1000}${path}`)
}
const pebble = await openPebble([14_000, 15_000])
t.teardown(() => pebble[Symbol.asyncDispose]())
const rootFile = scene.path('root.pem')
writeFileSync(rootFile, await ask(pebble, '/roots/0'))
writeFileSync(scene.path('api.pem'), pebble.apiCa)

/** Gives the nodes an authority; they start anew. */
async function order(from: readonly string[], more = ''): Promise<void> {
  const [directory, ...others] = from
  const acme = `[acme]
directory = "${directory}"
fallback_directories = ${JSON.stringify(others)}
ca_file = "${scene.path('api.pem')}"
check_interval = 5
${more}`
  await Promise.all(net.daemons.map((daemon) => daemon.stop()))
  for (const daemon of net.daemons)
    daemon.configure((text) => {
      const before = text.replace(/\[acme\]\n([a-z_]+ = .*\n)*/, '')
      const isResolving = before.includes('resolvers =')
      const resolving = isResolving ? before : before.replace('[dns]\n', `[dns]\nresolvers = ["${resolver.ipv4}:53"]\n`)
      return `${resolving}${acme}`
    })
  // Together: an authority that comes to one that is not up yet is right to refuse.
  await net.cluster.start()
}

/** What a visitor gets who trusts the authority. */
function visit(daemon: Daemon, host: string, path = '/'): Promise<string> {
  const resolve = ['--resolve', `${host}:443:${addressOf(daemon)}`]
  return client.run(
    'curl',
    '-sS',
    '--max-time',
    '10',
    '--cacert',
    rootFile,
    ...resolve,
    '-w',
    ' %{http_code} %{http_version}',
    `https://${host}${path}`,
  )
}

async function secured(host: string): Promise<void> {
  for (const daemon of net.daemons)
    await eventually(`${host} at ${daemon.name}`, async () => {
      try {
        await visit(daemon, host)
        return true
      } catch (error) {
        throw new Error(
          `${error}\n${daemon.output
            .split('\n')
            .filter((line) => line.includes('certificates.'))
            .slice(-8)
            .join('\n')}`,
        )
      }
    })
}

const certificates = async (t: Test): Promise<{ name: string; names: string[]; author: string }[]> => {
  const { code, stdout, stderr } = await maki(['cert', 'list', '--json'])
  t.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

t.test('without a command all names have a certificate on every node', async (t) => {
  await order([pebble.directory])
  for (const host of [APEX, `www.${APEX}`, `abcdef--preview.${APEX}`, `node2.ns.${APEX}`, `deep.down.${APEX}`])
    await secured(host)
  t.match(await visit(net.daemons[1] as Daemon, APEX), 'shop 200 2')
  const [first] = (await certificates(t)).filter(({ name }) => name === APEX)
  t.strictSame(first?.names, ['*.ns.shop.example', '*.shop.example', 'deep.down.shop.example', 'shop.example'])
})

t.test('a host that another zone points here has one of its own, shown by whichever node is asked', async (t) => {
  await secured(OUTSIDE)
  t.match(await visit(net.daemons[2] as Daemon, OUTSIDE), 'shop 200 2')
  t.strictSame((await certificates(t)).map(({ name }) => name).sort(), [APEX, OUTSIDE], 'and each was ordered once')
  const orders = net.daemons.flatMap(({ output }) => output.match(/"certificates.issued"/g) ?? [])
  const failed = net.daemons.flatMap(({ log }) => log.filter(({ event }) => event === 'certificates.order-failed'))
  t.equal(orders.length, 2, JSON.stringify(failed))
  for (const daemon of net.daemons) {
    const { certificates: report } = await daemon.client.status()
    t.strictSame(report, { uncovered: [], waiting: [] }, daemon.name)
  }
  const shown = await client.run(
    'dig',
    '+short',
    `@${addressOf(net.daemons[0] as Daemon)}`,
    `_acme-challenge.${APEX}`,
    'TXT',
  )
  t.equal(shown, '', 'what was shown is not shown any more')
})

t.test('a new name is added to the certificate; one that leads elsewhere is named, with what to do', async (t) => {
  const alias = (host: string): Change => ({ kind: 'alias.set', domain: APEX, host: host as Hostname })
  await net.commit(alias(`other.down.${APEX}`), alias('nowhere.elsewhere.example'))
  await secured(`other.down.${APEX}`)
  for (const daemon of net.daemons)
    await eventually('it to be said', async () => {
      const { certificates: report } = await daemon.client.status()
      const [found] = report?.uncovered ?? []
      if (found?.name !== 'nowhere.elsewhere.example' || found.code === 'not-looked')
        throw new Error(JSON.stringify(report))
      t.match(found, { code: 'elsewhere', reason: /does not lead to the nodes: .*Point it at them, or remove it/ })
      return true
    })
})

/** When the certificate that a node shows is over, by its clock and ours. */
async function endOf(daemon: Daemon, host: string): Promise<number> {
  const at = `${addressOf(daemon)}:443`
  const shown = await client.run(
    'sh',
    '-c',
    `openssl s_client -connect ${at} -servername ${host} < /dev/null 2> /dev/null`,
  )
  return new X509Certificate(shown).validToDate.getTime()
}

t.test('what lives for minutes is renewed before it is over, on every node', async (t) => {
  const short = await openPebble([14_001, 15_001], LIFE_MS / 1000)
  t.teardown(() => short[Symbol.asyncDispose]())
  writeFileSync(scene.path('api.pem'), `${pebble.apiCa}${short.apiCa}`)
  await order([short.directory])
  const [first] = net.daemons as [Daemon]
  const beforeMs = Date.now() + 2 * LIFE_MS
  const ending = await eventually('a certificate of the other authority', async () => {
    const endMs = await endOf(first, OUTSIDE)
    return endMs < beforeMs ? endMs : undefined
  })
  for (const daemon of net.daemons)
    await eventually(`another in its place at ${daemon.name}`, async () =>
      (await endOf(daemon, OUTSIDE)) > ending ? true : undefined,
    )
  t.ok(Date.now() < ending, 'before the first was over')
})

t.test('nothing secret is in a log, and no key is on a disk', async (t) => {
  for (const { output, name } of net.daemons) t.notMatch(output, /PRIVATE KEY|"key":"-----/, name)
  const { stdout } = await scene.run('grep', ['-rlaE', 'BEGIN (EC )?PRIVATE KEY', scene.path('c')])
  t.equal(stdout, '')
})
