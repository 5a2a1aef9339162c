import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NODE_FLAGS } from '../../cli/node/node-flags.ts'
import { BareHosts, compareListings, listServer } from './support/bare-hosts.ts'
import { type BootedHost, CHECKOUT } from './support/booted-hosts.ts'
import { makeBrokenBundle, makeOtherBundle } from './support/other-bundles.ts'
import { ROOT, Scene } from './support/scene.ts'
import { initServer, makeBundle } from './support/servers.ts'

/** The life of machines on booted servers: seen, upgraded under load, drained, and gone, dead ones too. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const names = ['amsterdam', 'lima', 'tokyo']
const hosts = await BareHosts.open(scene, names)
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const servers = names.map((name) => hosts.host(name))
const [amsterdam, lima, tokyo] = servers as [BootedHost, BootedHost, BootedHost]
const bundle = await makeBundle(operator)
const before = new Map(
  await Promise.all(servers.map(async (server) => [server.name, await listServer(server)] as const)),
)

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

t.test('three machines and a site', async (t) => {
  for (const server of servers) {
    // Named, since the sources, from which it would be made again, may change while a test runs.
    const { code, stdout, stderr } = await initServer(operator, server, '--binary-path', bundle.file)
    t.equal(code, 0, `${server.name}\n${stdout}${stderr}`)
  }
  const site = scene.path('site')
  cpSync(join(ROOT, 'examples', 'site'), site, { recursive: true })
  const synced = await operator.maki(['sync', '--wait', 'all'], { cwd: site })
  t.equal(synced.code, 0, synced.stderr)
})
const domain = /^name = "(.*)"$/m.exec(
  readFileSync(join(ROOT, 'examples', 'site', 'makiatto.toml'), 'utf8'),
)?.[1] as string

t.test('what is seen of them', async (t) => {
  const rows = await json<{ name: string; up: boolean; ipv4: string; advice: string | null }[]>(t, ['machine', 'list'])
  t.strictSame(
    rows.map(({ name, up, ipv4, advice }) => [name, up, ipv4, advice]),
    servers.map(({ name, ipv4 }) => [name, true, ipv4, null]),
  )
  t.match(await json(t, ['machine', 'show', 'lima']), {
    name: 'lima',
    server: { running: bundle.sha256, unit: { active: 'active' } },
    seen: [
      { by: 'amsterdam', up: true },
      { by: 'tokyo', up: true },
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
  const rolled = await json<Rolled[]>(t, ['machine', 'upgrade', 'tokyo', 'lima', '--binary-path', broken.file], 4)
  t.match(rolled, [
    { machine: 'tokyo', outcome: 'returned' },
    { machine: 'lima', outcome: 'untouched' },
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
  await json(t, ['machine', 'drain', 'tokyo', '--no-wait'])
  const ask = (server: BootedHost) => hosts.hosts.run('dig', '+short', `@${server.ipv4}`, domain, 'A')
  for (const server of servers) for (let i = 0; i < 5; i++) t.notMatch(await ask(server), tokyo.ipv4)
  await json(t, ['machine', 'undrain', 'tokyo'])
})

t.test('a machine that leaves leaves nothing on its server', async (t) => {
  const removal = await json(t, ['machine', 'remove', 'lima', '--force', '--yes'])
  t.match(removal, { removed: { how: 'retire' }, server: { cleaned: true, left: [] }, profile: 'removed' })
  t.match(removal, { glue: [{ host: `lima.ns.${domain}`, kind: 'remove' }] })
  t.strictSame(compareListings(before.get('lima') ?? [], await listServer(lima)), [])
})

t.test('a dead machine leaves the cluster, and its server when it is back', async (t) => {
  await tokyo.powerOff()
  const removal = await json(t, ['machine', 'remove', 'tokyo', '--force', '--yes'])
  t.match(removal, { removed: { how: 'retire' }, server: { cleaned: false }, profile: 'kept' })
  const rows = await json<{ name: string; advice: string | null }[]>(t, ['machine', 'list'])
  t.match(rows, [
    { name: 'amsterdam', advice: null },
    { name: 'tokyo', advice: /machine remove tokyo/ },
  ])
  await tokyo.powerOn()
  const cleaned = await json(t, ['machine', 'remove', 'tokyo', '--yes'])
  t.match(cleaned, { removed: null, server: { cleaned: true, left: [] }, profile: 'removed' })
  t.strictSame(compareListings(before.get('tokyo') ?? [], await listServer(tokyo)), [])
})
