import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NODE_FLAGS } from '../../cli/node/node-flags.ts'
import { eventually } from '../support/eventually.ts'
import { BareHosts, compareListings, listServer } from './support/bare-hosts.ts'
import { type BootedHost, CHECKOUT } from './support/booted-hosts.ts'
import { makeBrokenBundle, makeOtherBundle } from './support/other-bundles.ts'
import { ROOT, Scene } from './support/scene.ts'
import { askDns, askHttp, makeBundle, readQuickStart } from './support/servers.ts'

/**
 * The README's way from three bare servers to a network that serves, typed as it stands there; then the life of its machines:
 * seen, upgraded under load, drained, and gone, dead ones too.
 */

t.setTimeout(0)
// Mostly waits: for servers, and for what visitors see.
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const quickStart = readQuickStart()
const inits = quickStart.filter((line) => line.startsWith('maki machine init '))
const names = inits.map((line) => line.split(' ')[3] as string)
const hosts = await BareHosts.open(scene, names)
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const servers: BootedHost[] = names.map((name) => hosts.host(name))
const [amsterdam, newyork, singapore] = servers as [BootedHost, BootedHost, BootedHost]
const before = new Map<BootedHost, readonly string[]>()
const bundle = await makeBundle(operator)

const site = scene.path('site')
cpSync(join(ROOT, 'examples', 'site'), site, { recursive: true })
const domain = /^name = "(.*)"$/m.exec(readFileSync(join(site, 'makiatto.toml'), 'utf8'))?.[1] as string

/** As it stands in the README, but for the address of the server. */
const place = (line: string): string[] =>
  line
    .replace(/^maki /, '')
    .replace(/@\S+$/, `@${hosts.host(line.split(' ')[3] as string).ipv4}`)
    .split(' ')

t.test('the README has three servers, a sync and a look', async (t) => {
  t.equal(inits.length, 3)
  t.ok(quickStart.includes('maki sync'))
  t.ok(quickStart.includes('maki status'))
})

/** What a provider's firewall lets from one server to another: as the documentation says, and nothing besides. */
const PROVIDER = `table bridge provider {
  chain forward {
    type filter hook forward priority 10; policy drop;
    ether type arp accept
    meta l4proto { icmp, ipv6-icmp } accept
    udp dport { 53, 51880 } accept
    udp sport { 53, 51880 } accept
    tcp dport { 22, 53, 80, 443 } accept
    tcp sport { 22, 53, 80, 443 } accept
  }
}
`

t.test('between the servers only DNS, HTTP, SSH and UDP 51880 pass', async () => {
  writeFileSync(scene.path('provider.nft'), PROVIDER)
  await hosts.hosts.run('nft', '-f', scene.path('provider.nft'))
})

t.test('three bare servers become nodes by three commands', async (t) => {
  await Promise.all(servers.map(async (server) => before.set(server, await listServer(server))))
  const begunMs = Date.now()
  for (const line of inits) {
    const startMs = Date.now()
    const { code, stdout, stderr } = await operator.maki(place(line))
    t.equal(code, 0, `${line}\n${stdout}${stderr}`)
    t.comment(`${line}: ${((Date.now() - startMs) / 1000).toFixed(1)} s`)
  }
  t.comment(`three servers: ${((Date.now() - begunMs) / 1000).toFixed(1)} s, a bundle of ${bundle.sizeBytes} bytes`)
})

t.test('the first one left a key to be kept elsewhere, which others cannot read', async (t) => {
  const found = listFiles(operator.home).filter((file) => /recovery/.test(file))
  t.equal(found.length, 1, found.join())
  t.equal(statSync(found[0] as string).mode & 0o077, 0)
})

t.test('the site is published, and served by each', async (t) => {
  for (const line of quickStart.filter((line) => /^maki (sync|status)/.test(line))) {
    const { code, stdout, stderr } = await operator.maki(line.split(' ').slice(1), { cwd: site })
    t.equal(code, 0, `${line}\n${stdout}${stderr}`)
  }
  for (const server of servers) await serves(t, server)
})

/** Answers for the site over HTTP, and for its domain over UDP and TCP, at both of its addresses. */
async function serves(t: Test, server: BootedHost): Promise<void> {
  for (const address of [server.ipv4, server.ipv6]) {
    const page = await eventually(`the site at ${address}`, async () => {
      const answer = await askHttp(hosts, address, domain)
      return answer.endsWith(' 200') ? answer : undefined
    })
    t.match(page, /<html/i, `${server.name} at ${address}`)
    for (const way of ['+notcp', '+tcp']) {
      const names = await askDns(hosts, address, domain, 'NS', way)
      t.strictSame(
        names,
        servers.map(({ name }) => `${name}.ns.${domain}.`).sort(),
        `name servers by ${address} ${way}`,
      )
    }
  }
  const [answer] = await askDns(hosts, server.ipv4, domain, 'A')
  t.ok(
    servers.some(({ ipv4 }) => ipv4 === answer),
    `${answer} is one of the servers`,
  )
  for (const one of servers) {
    t.strictSame(await askDns(hosts, server.ipv4, `${one.name}.ns.${domain}`, 'A'), [one.ipv4])
    t.strictSame(await askDns(hosts, server.ipv4, `${one.name}.ns.${domain}`, 'AAAA'), [one.ipv6])
  }
}

t.test('status and health are of one mind', async (t) => {
  const status = await operator.maki(['status', '--json'])
  t.equal(status.code, 0, status.stderr)
  const { nodes } = JSON.parse(status.stdout) as { nodes: { name: string; up: boolean }[] }
  t.strictSame(nodes.map(({ name }) => name).sort(), [...names].sort())
  t.ok(nodes.every(({ up }) => up))
  const health = await operator.maki(['health'])
  t.equal(health.code, 0, `${health.stdout}${health.stderr}`)
})

t.test('they hear each other through WireGuard alone, by addresses of the mesh', async (t) => {
  const rows = await json<{ name: string; mesh: { address: string; publicKey: string } }[]>(t, ['machine', 'list'])
  for (const server of servers) {
    const config = await server.read('/etc/makiatto/makiatto.toml')
    t.notMatch(config, /replication|wireguard/, `${server.name} is told of nobody by its configuration`)
    const own = rows.find(({ name }) => name === server.name)?.mesh
    const listening = await server.run('ss', '-Hltn')
    for (const port of [8787, 8282])
      t.match(listening, `[${own?.address}]:${port} `, `${server.name} listens in the mesh`)
    t.notMatch(listening, /(0\.0\.0\.0|\*|\[::\]):(8787|8282) /)
    for (const other of servers)
      if (other !== server) t.equal((await askPort(server, other.ipv4, 8787)).trim(), 'shut', 'and nowhere else')
  }
  const profile = readFileSync(operator.profile, 'utf8')
  for (const { mesh } of rows) {
    t.ok(profile.includes(`wg_public_key = "${mesh.publicKey}"`))
    t.ok(profile.includes(`wg_address = "${mesh.address}"`))
  }
})

/** Whether a server gets through to a port of another within a second. */
const askPort = (from: BootedHost, address: string, port: number): Promise<string> =>
  from.run('sh', '-c', `timeout 1 bash -c '</dev/tcp/${address}/${port}' 2>/dev/null && echo open || echo shut`)

t.test('the daemon is no root, and what it may is little', async (t) => {
  const [server] = servers
  const main = (await server!.run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')).trim()
  const status = await server!.run('cat', `/proc/${main}/status`)
  t.match(status, /^NoNewPrivs:\s*1$/m)
  t.match(status, /^Seccomp:\s*2$/m)
  t.notMatch(status, /^Uid:\s*0\s/m)
  // CAP_NET_BIND_SERVICE and CAP_NET_ADMIN.
  t.match(status, /^CapBnd:\s*0000000000001400$/m)
})

t.test('a server boots again and serves, without anybody', async (t) => {
  const last = servers.at(-1) as BootedHost
  await last.reboot()
  await serves(t, last)
})

t.test('one without a working server does not stop the others from being asked', async (t) => {
  const [first] = servers
  await first!.powerOff()
  const { code, stdout, stderr } = await operator.maki(['status'])
  t.equal(code, 0, `${stdout}${stderr}`)
  t.match(`${stdout}${stderr}`, names[0])
  await first!.powerOn()
  await serves(t, first as BootedHost)
})

t.test('what is seen of them', async (t) => {
  const rows = await json<{ name: string; up: boolean; ipv4: string; advice: string | null }[]>(t, ['machine', 'list'])
  t.strictSame(
    rows.map(({ name, up, ipv4, advice }) => [name, up, ipv4, advice]),
    servers.map(({ name, ipv4 }) => [name, true, ipv4, null]),
  )
  t.match(await json(t, ['machine', 'show', 'newyork']), {
    name: 'newyork',
    server: { running: bundle.sha256, unit: { active: 'active' } },
    seen: [
      { by: 'amsterdam', up: true },
      { by: 'singapore', up: true },
    ],
    faults: [],
  })
})

t.test('another version under load, at every address and in every answer of DNS', async (t) => {
  const other = await makeOtherBundle(scene, bundle)
  const stop = scene.path('stop')
  const main = join(CHECKOUT, 'test/e2e/support/relentless-visitors.ts')
  const child = hosts.hosts.start([
    process.execPath,
    ...NODE_FLAGS,
    main,
    domain,
    stop,
    ...servers.map(({ ipv4 }) => ipv4),
  ])
  await child.waitForLine((line) => line === 'round')
  const rolled = await json<Rolled[]>(t, ['machine', 'upgrade', '--binary-path', other.file])
  writeFileSync(stop, '')
  const met = JSON.parse(await child.waitForLine((line) => line.startsWith('{'))) as Record<
    string,
    { answers: number; failures: string[] }
  >
  t.strictSame(
    rolled.map(({ machine, outcome, running }) => [machine, outcome, running]),
    names.map((name) => [name, 'done', other.sha256]),
  )
  for (const [kind, { answers, failures }] of Object.entries(met)) {
    t.comment(`${kind}: ${answers} answers`)
    t.ok(answers > 0, kind)
    // A datagram may come in between the last look at a queue and its end.
    if (kind.startsWith('DNS over UDP')) t.ok(failures.length <= 2, `${kind}: ${failures.join('; ')}`)
    else t.strictSame(failures, [], kind)
  }
  const again = await json<Rolled[]>(t, ['machine', 'upgrade', '--binary-path', other.file])
  t.ok(again.every(({ outcome }) => outcome === 'same'))
})

t.test('a version that does not start goes back, and no other machine is touched', async (t) => {
  const broken = await makeBrokenBundle(scene, bundle)
  const rolled = await json<Rolled[]>(
    t,
    ['machine', 'upgrade', 'singapore', 'newyork', '--binary-path', broken.file],
    4,
  )
  t.match(rolled, [
    { machine: 'singapore', outcome: 'returned' },
    { machine: 'newyork', outcome: 'untouched' },
  ])
  t.not(rolled[0]?.running, broken.sha256)
  const status = await operator.maki(['status'])
  t.equal(status.code, 0, status.stdout + status.stderr)
})

t.test('one machine restarts', async (t) => {
  const pid = () => amsterdam.run('systemctl', 'show', '--property=MainPID', '--value', 'makiatto')
  const was = await pid()
  t.match(await json(t, ['machine', 'restart', 'amsterdam']), [{ machine: 'amsterdam', outcome: 'done' }])
  t.not(await pid(), was)
})

t.test('a drained machine is in no answer', async (t) => {
  await json(t, ['machine', 'drain', 'singapore', '--no-wait'])
  const ask = (server: BootedHost) => hosts.hosts.run('dig', '+short', `@${server.ipv4}`, domain, 'A')
  for (const server of servers) for (let i = 0; i < 5; i++) t.notMatch(await ask(server), singapore.ipv4)
  await json(t, ['machine', 'undrain', 'singapore'])
})

t.test('a machine that leaves leaves nothing on its server', async (t) => {
  const removal = await json(t, ['machine', 'remove', 'newyork', '--force', '--yes'])
  t.match(removal, { removed: { how: 'retire' }, server: { cleaned: true, left: [] }, profile: 'removed' })
  t.match(removal, { glue: [{ host: `newyork.ns.${domain}`, kind: 'remove' }] })
  t.strictSame(compareListings(before.get(newyork) ?? [], await listServer(newyork)), [])
})

t.test('a dead machine leaves the cluster, and its server when it is back', async (t) => {
  await singapore.powerOff()
  const removal = await json(t, ['machine', 'remove', 'singapore', '--force', '--yes'])
  t.match(removal, { removed: { how: 'retire' }, server: { cleaned: false }, profile: 'kept' })
  const rows = await json<{ name: string; advice: string | null }[]>(t, ['machine', 'list'])
  t.match(rows, [
    { name: 'amsterdam', advice: null },
    { name: 'singapore', advice: /machine remove singapore/ },
  ])
  await singapore.powerOn()
  const cleaned = await json(t, ['machine', 'remove', 'singapore', '--yes'])
  t.match(cleaned, { removed: null, server: { cleaned: true, left: [] }, profile: 'removed' })
  t.strictSame(compareListings(before.get(singapore) ?? [], await listServer(singapore)), [])
})

t.test('the last one is removed, and its server is as it was', async (t) => {
  const { code, stdout, stderr } = await operator.maki(['machine', 'remove', 'amsterdam', '--yes', '--force'])
  t.equal(code, 0, `${stdout}${stderr}`)
  t.strictSame(compareListings(before.get(amsterdam) ?? [], await listServer(amsterdam)), [])
})

/** Runs a command that has to end with a code, and gives what it printed as JSON. */
async function json<T = never>(t: Test, words: readonly string[], code = 0): Promise<T> {
  const outcome = await operator.maki([...words, '--json'])
  t.equal(outcome.code, code, `${words.join(' ')}\n${outcome.stdout}${outcome.stderr}`)
  return JSON.parse(outcome.stdout) as T
}

interface Rolled {
  readonly machine: string
  readonly outcome: string
  readonly running: string
  readonly reason: string | null
}

function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}
