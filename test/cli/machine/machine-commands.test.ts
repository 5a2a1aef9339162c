import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { findNode, formatWireGuardKey, type MemberKey } from '../../../core/index.ts'
import { findFreePorts } from '../../support/free-ports.ts'
import {
  announceSchema,
  type Outcome,
  runInProcess,
  startTestCluster,
  type TestCluster,
  testKey,
} from '../support/test-cluster.ts'
import { gossip } from '../support/test-node.ts'

const keyOf = (i: number): MemberKey => testKey(100 + i).key
/** Waiting goes by as fast as a test wants; how long a node may take to answer does not. */
const HURRY = 2_000
const fast = {
  ...systemRuntime,
  monotonic: () => systemRuntime.monotonic() * HURRY,
  after: (delayMs: number, call: () => void) => systemRuntime.after(delayMs > 1_000 ? delayMs : delayMs / HURRY, call),
}
const hurried = (cluster: TestCluster, ...argv: string[]): Promise<Outcome> =>
  runInProcess(argv, { env: cluster.env, cwd: cluster.directory, runtime: fast })

/** A server where nobody listens stands behind that machine. */
async function bury(cluster: TestCluster, name: string): Promise<void> {
  const port = await findFreePorts([0])
  const text = readFileSync(cluster.profile, 'utf8')
  const entry = new RegExp(`name = "${name}"\ncontrol = "[^"]*"\n`)
  if (!entry.test(text)) throw new Error(`no ${name} in ${text}`)
  writeFileSync(
    cluster.profile,
    text.replace(entry, `name = "${name}"\nssh_target = "root@127.0.0.1"\nport = ${port}\n`),
  )
}

const profileOf = (cluster: TestCluster): string => readFileSync(cluster.profile, 'utf8')

t.test('machines of the profile and of the cluster, with what to type where they differ', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one] = cluster.nodes
  if (one === undefined) return
  one.statusOf = (nodes) => nodes.map((node) => (node.name === 'two' ? { ...node, up: false, lagMs: 90_000 } : node))
  writeFileSync(
    cluster.profile,
    profileOf(cluster)
      .replace('name = "two"', 'name = "old"')
      .replace(/control = ".*two.sock"/, 'ssh_target = "root@h"'),
  )
  const { code, stdout, stderr } = await cluster.maki('machine', 'list')
  t.same({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /one +this computer +up +0\.1\.0 +yes +- +127\.0\.0\.1 +now/)
  t.match(stdout, /two +- +down +0\.1\.0 +yes +- +127\.0\.0\.2 +1 minute ago/)
  t.match(stdout, /old +root@h +no node/)
  t.match(stdout, 'maki machine add USER@HOST')
  t.match(stdout, 'maki machine remove old')
  const rows = await cluster.json<{ name: string; up: boolean | null }[]>('machine', 'list')
  t.strictSame(
    rows.map(({ name, up }) => [name, up]),
    [
      ['old', null],
      ['one', true],
      ['two', false],
    ],
  )
  const offline = await cluster.maki('machine', 'list', '--offline')
  t.match(offline, { code: 0, stdout: /two +- +not asked/ })
  await one.stop()
  t.match(await cluster.maki('machine', 'list'), { code: 0, stdout: /one +this computer +not asked/ })
})

t.test('one machine, whatever of it answers', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  await cluster.nodes[2]?.stop()
  await bury(cluster, 'two')
  const shown = await cluster.maki('machine', 'show', 'two')
  t.match(shown, { code: 3, stdout: /key +\w{52}/ })
  t.match(shown.stdout, /seen by one +up/)
  t.match(shown.stdout, /Warning: .*two/)
  t.match(await cluster.json('machine', 'show', 'one'), {
    name: 'one',
    node: { key: keyOf(0), drained: false },
    self: { version: '0.1.0' },
    server: null,
    faults: [],
    seen: [],
  })
  t.match(await cluster.maki('machine', 'show', 'on'), { code: 4, stderr: /one/ })
})

t.test('an update is written once, to the cluster and to the profile', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one] = cluster.nodes
  if (one === undefined) return
  const args = ['machine', 'set', 'two', '--ipv4', '203.0.113.9', '--lat', '52.37', '--lon', '-4.9']
  const first = await cluster.maki(...args)
  t.match(first, { code: 0, stderr: /not public/ }, 'an address of documents')
  t.match(first.stdout, 'change the glue of two.ns.example.com from 127.0.0.2 to 203.0.113.9')
  t.match(findNode(one.replica.state, keyOf(1)), {
    ipv4: '203.0.113.9',
    ipv6: null,
    place: { latitude: 52.37, longitude: -4.9 },
    nameserver: true,
  })
  t.match(profileOf(cluster), /name = "two"\nis_nameserver = true\nlatitude = 52\.37\nlongitude = -4\.9\nipv4 = "203/)
  const { count } = one.replica
  const text = profileOf(cluster)
  t.match(await cluster.maki(...args), { code: 0, stdout: /is so already/ })
  t.same([one.replica.count, profileOf(cluster)], [count, text], 'nothing was written')
  t.match(await cluster.json('machine', 'set', 'two', '--no-ns'), {
    changed: ['nameserver'],
    profileWritten: true,
    glue: [{ domain: 'example.com', host: 'two.ns.example.com', kind: 'remove', before: ['203.0.113.9'], after: [] }],
  })
  const refused: [string[], number, RegExp][] = [
    [['two', '--ipv4', '127.0.0.1'], 4, /is the address of one/],
    [['two', '--ipv4', 'none'], 2, /no address left/],
    [['two', '--endpoint', 'a.example.org'], 4, /two takes no part in the mesh/],
    [['two'], 2, /nothing is to be changed/],
    [['two', '--ssh-target', 'root@'], 2, /no host/],
    [['two', '--ssh-target', 'root@h'], 2, /maki dev/],
    [['tow', '--ns'], 4, /there is no machine "tow"/],
  ]
  for (const [words, code, stderr] of refused)
    t.match(await cluster.maki('machine', 'set', ...words), { code, stderr }, words.join(' '))
})

t.test('where others reach a machine is brought to each of them, and who was missed is named', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  const [one, two, three] = cluster.nodes
  if (one === undefined || two === undefined || three === undefined) return
  await announceSchema(cluster)
  const mesh = { publicKey: formatWireGuardKey(new Uint8Array(32).fill(7)), port: 51880 }
  await cluster.write(one, [{ kind: 'node.update', key: keyOf(1), set: { mesh } }])
  await three.stop()
  const set = (...args: string[]) => cluster.maki('machine', 'set', 'two', ...args)
  const first = await set('--endpoint', 'Router.Example.NET')
  t.match(first, { code: 0, stderr: /three was not reached \(.*\): it learns this from the others, or by maki push/ })
  for (const node of [one, two])
    t.match(findNode(node.replica.state, keyOf(1))?.mesh, { ...mesh, endpoint: 'router.example.net:51880' }, node.name)
  t.match(profileOf(cluster), /wg_public_key = "BwcH.*"\nwg_address = "fd.*"/)
  t.match(await cluster.maki('machine', 'show', 'two'), { stdout: /endpoint +router\.example\.net:51880, UDP/ })
  t.match(await set('--endpoint', 'router.example.net:51880'), { code: 0, stdout: /is so already/ })
  t.match(await set('--ipv4', '9.9.9.8'), { code: 0, stderr: /still reach two at router/ })
  t.match(await cluster.json('machine', 'set', 'two', '--endpoint', 'none'), {
    changed: ['mesh'],
    written: { missed: [{ machine: 'three' }] },
  })
  t.equal(findNode(two.replica.state, keyOf(1))?.mesh?.endpoint, null)
  const rows = await cluster.json<object[]>('machine', 'list')
  t.match(rows[2], { name: 'two', mesh: { address: /^fd/, publicKey: mesh.publicKey, port: 51880, endpoint: 'none' } })
  t.match(await set('--endpoint', 'default'), { code: 0, stdout: /try to reach it there/ })
  t.strictSame(findNode(two.replica.state, keyOf(1))?.mesh, mesh)
  for (const bad of ['127.0.0.1', 'a b', 'x:0', '[::1]:5', 'fe80::1%eth0'])
    t.match(await set('--endpoint', bad), { code: 2, stderr: /--endpoint.*(\n.*)*--endpoint default/ }, bad)
  await three.start()
  t.match(await cluster.maki('push'), {
    code: 0,
    stdout: /^Nothing waits here.\nBrought what they lacked to (two, )?three\.\n$/,
  })
  t.strictSame(findNode(three.replica.state, keyOf(1))?.mesh, mesh)
})

t.test('a machine that the others do not hear is brought what it lacks by maki health', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  one.statusOf = (nodes) => nodes.map((node) => (node.name === 'two' ? { ...node, up: false, heads: [] } : node))
  await cluster.maki('machine', 'set', 'one', '--lat', '1', '--lon', '2', '--node', 'one')
  t.match(await cluster.maki('health', '--node', 'one'), { stdout: /note two: it lacked what was written/ })
  t.equal(two.replica.digest().ids, one.replica.digest().ids)
  await two.stop()
  t.match(await cluster.maki('health', '--node', 'one'), {
    stdout: /note two: it has not heard all that was written.*\n +maki push/,
  })
})

t.test('draining waits as long as answers live, and not for the last one', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  await announceSchema(cluster)
  const recorded = await cluster.maki('record', 'set', 'example.com', 'cdn', 'A', '--geo', '--ttl', '900')
  t.equal(recorded.code, 0, recorded.stderr)
  const drained = await hurried(cluster, 'machine', 'drain', 'two', '--json')
  t.equal(drained.code, 0, drained.stderr)
  const { waitedMs, written } = JSON.parse(drained.stdout)
  t.equal(findNode(one.replica.state, keyOf(1))?.drained, true)
  t.ok(waitedMs > 880_000 && waitedMs <= 900_000, `${waitedMs} is the TTL of the set that lives longest`)
  t.equal(written.node, 'one')
  const again = JSON.parse((await hurried(cluster, 'machine', 'drain', 'two', '--json')).stdout)
  t.equal(again.written, null)
  t.ok(again.waitedMs < waitedMs, 'only the rest is waited for')
  t.match(await cluster.maki('machine', 'drain', 'one'), { code: 4, stderr: /only node that visitors are sent to/ })
  t.match(await cluster.maki('machine', 'drain', 'one', '--force', '--no-wait'), { code: 0, stdout: /Drained one at/ })
  t.match(await cluster.maki('machine', 'undrain', 'one'), { code: 0, stdout: /Undrained one/ })
  t.match(await cluster.maki('machine', 'undrain', 'one'), { code: 0, stdout: /was not drained/ })
  const ended = new AbortController()
  const interrupted = runInProcess(['machine', 'drain', 'two'], {
    env: cluster.env,
    cwd: cluster.directory,
    signal: ended.signal,
    runtime: {
      ...systemRuntime,
      after: (ms, call) => {
        // The wait for resolvers is the first that takes a second.
        if (ms === 1_000) ended.abort(new Error('Ctrl-C'))
        return systemRuntime.after(ms, call)
      },
    },
  })
  t.match(await interrupted, { stderr: /two is drained already; only the waiting has ended/ })
})

t.test('while one command waits for visitors, others are done', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await announceSchema(cluster)
  t.match(await cluster.maki('record', 'set', 'example.com', 'cdn', 'A', '--geo', '--ttl', '900'), { code: 0 })
  const waits = Promise.withResolvers<() => void>()
  let isOver = false
  const draining = runInProcess(['machine', 'drain', 'two', '--json'], {
    env: cluster.env,
    cwd: cluster.directory,
    runtime: {
      ...systemRuntime,
      // The wait for resolvers is the first that takes a second: it goes on when the others are done.
      after: (ms, call) => {
        if (isOver) return fast.after(ms, call)
        if (ms !== 1_000) return systemRuntime.after(ms, call)
        waits.resolve(call)
        return () => {}
      },
      monotonic: () => (isOver ? fast : systemRuntime).monotonic(),
    },
  })
  const goOn = await waits.promise
  t.match(await cluster.maki('record', 'set', 'example.com', 'meanwhile', 'TXT', 'hello'), { code: 0 })
  t.match(await cluster.maki('machine', 'undrain', 'two'), { code: 0, stdout: /Undrained two/ })
  isOver = true
  goOn()
  t.match(await draining, { code: 0 })
})

t.test('no server stands behind a node of maki dev', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  for (const words of [['restart'], ['remove', 'one', '--yes']])
    t.match(
      await cluster.maki('machine', ...words),
      { code: 2, stderr: /one runs on this computer under maki dev/ },
      String(words[0]),
    )
  t.match(await cluster.maki('machine', 'restart', 'oen'), { code: 4, stderr: /no machine "oen"\n.*one/ })
})

t.test('a machine that is dead leaves the cluster, and is forgotten when somebody says so', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  await bury(cluster, 'two')
  t.match(await cluster.maki('machine', 'restart', 'two'), { code: 3, stderr: /nothing was changed anywhere/ })
  t.match(await cluster.maki('machine', 'remove', 'two'), { code: 2, stderr: /key of two is retired[\s\S]*--yes/ })
  t.ok(findNode(one.replica.state, keyOf(1)), 'nobody said yes')
  const removed = await cluster.maki('machine', 'remove', 'two', '--yes')
  t.equal(removed.code, 0, removed.stderr)
  t.match(removed.stdout, /Removed two at one/)
  t.match(removed.stdout, /server was not cleaned/)
  t.match(removed.stdout, 'remove the name server two.ns.example.com and its glue 127.0.0.2')
  t.equal(findNode(one.replica.state, keyOf(1)), undefined)
  t.match(profileOf(cluster), 'name = "two"', 'the way there is kept, for when it is back')
  t.match(await cluster.maki('machine', 'remove', 'two', '--yes'), {
    code: 3,
    stderr: /no node any more[\s\S]*--force/,
  })
  t.match(await cluster.maki('machine', 'remove', 'two', '--yes', '--force'), {
    code: 0,
    stdout: /no node of the cluster/,
  })
  t.notMatch(profileOf(cluster), 'name = "two"')
})

t.test('a machine that somebody broke into is revoked, and never asked', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two', 'three'] })
  const [one] = cluster.nodes
  await bury(cluster, 'two')
  const removal = await cluster.json<{ replace: { what: string; isDone: boolean }[] }>(
    'machine',
    'remove',
    'two',
    '--compromised',
    '--yes',
  )
  t.match(removal, { removed: { how: 'revoke', node: 'one' }, profile: 'removed', server: { cleaned: false } })
  t.strictSame(
    removal.replace.filter(({ isDone }) => isDone).map(({ what }) => what),
    ['the node key of two', 'the SSH host key of two'],
  )
  t.equal(one && findNode(one.replica.state, keyOf(1)), undefined)
})

t.test('the last node, and the last copy of a file, go only by force', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  if (one === undefined || two === undefined) return
  await mkdir(join(cluster.directory, 'site'))
  await writeFile(join(cluster.directory, 'site', 'index.html'), 'only here')
  await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]]\nname = "example.com"\npath = "site"\n')
  const synced = await cluster.maki('sync', '--wait', 'none', '--take-over')
  t.equal(synced.code, 0, synced.stderr)
  await gossip(one, two)
  await bury(cluster, 'one')
  const refused = await cluster.maki('machine', 'remove', 'one', '--yes')
  t.match(refused, { code: 4, stderr: /no other machine that answers has \d+ files? of example\.com/ })
  t.ok(findNode(two.replica.state, keyOf(0)))
  t.match(await cluster.maki('machine', 'remove', 'one', '--yes', '--force'), { code: 0, stdout: /Removed one at two/ })
  await bury(cluster, 'two')
  const last = await cluster.maki('machine', 'remove', 'two', '--yes')
  t.match(last, { code: 4, stderr: /two is the last node of the cluster/ })
  const forced = await cluster.maki('machine', 'remove', 'two', '--yes', '--force')
  t.match(forced, { code: 0, stdout: /Removed two\./ })
})
