import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { writeKeyFile } from '../../cli/client/identity.ts'
import { findRelease, hashBlob, Manifest } from '../../core/index.ts'
import {
  announceSchema,
  example,
  runInProcess,
  startTestCluster,
  type TestCluster,
  testKey,
} from './support/test-cluster.ts'
import type { TestNode } from './support/test-node.ts'

interface Row {
  id: string
  served: boolean
  side: boolean
  purged: boolean
  kept: boolean | null
  live: string[]
  unservable: string[]
}

type Files = Record<string, string>

async function writeProject(cluster: TestCluster, files: Files, lines: string[] = []): Promise<void> {
  const site = join(cluster.directory, 'site')
  await rm(site, { recursive: true, force: true })
  await mkdir(site)
  for (const [name, text] of Object.entries(files)) await writeFile(join(site, name), text)
  const toml = ['project = "blog"', '[[domain]]', 'name = "example.com"', 'path = "./site"', ...lines]
  await writeFile(join(cluster.directory, 'makiatto.toml'), toml.join('\n'))
}

/** Publishes by sync; resolves with the release's id. */
async function publish(cluster: TestCluster, files: Files, ...flags: string[]): Promise<string> {
  await writeProject(cluster, files)
  const report = await cluster.json<{ domains: { operation: string }[] }>('sync', '--take-over', ...flags)
  return report.domains[0]!.operation
}

/** How many operations of the person there are; nodes write by themselves. */
async function countOwn({ created }: TestCluster, node: TestNode): Promise<number> {
  let own = 0
  for await (const { author } of node.replica.history()) if (author === created.operator.key) own++
  return own
}

const chunks = async function* (bytes: Uint8Array) {
  yield bytes
}

/** Publishes as somebody else does, straight at a node. */
async function publishAt(cluster: TestCluster, node: TestNode, files: Files): Promise<string> {
  const listed = Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) }))
  for (const { bytes } of listed) await node.blobs.put(hashBlob(bytes), chunks(bytes))
  const content = Manifest.of(
    listed.map(({ path, bytes }) => ({ path, hash: hashBlob(bytes), sizeBytes: bytes.length })),
  )
  const { bytes, hash, tree } = content.encode()
  await node.blobs.put(hash, chunks(bytes))
  const size = { files: content.fileCount, bytes: content.totalBytes }
  const change = { kind: 'release.publish', domain: example, manifest: hash, tree, ...size, aliases: [] } as const
  return (await cluster.write(node, [change])).id
}

t.test('release list, show and diff tell of every release', async (t) => {
  await using cluster = await startTestCluster()
  const first = await publish(cluster, { 'index.html': 'one', 'a.css': 'a', 'old.txt': 'gone soon' })
  const second = await publish(cluster, { 'index.html': 'two!', 'a.css': 'a', 'new.txt': 'fresh' }, '-m', 'menu')
  const rows = await cluster.json<Row[]>('release', 'list', 'example.com')
  t.match(rows, [
    {
      id: second,
      served: true,
      live: ['one'],
      side: false,
      purged: false,
      kept: true,
      preview: `http://${second.slice(0, 26)}--preview.example.com/`,
    },
    { id: first, served: false, live: [], kept: true },
  ])
  t.match(await cluster.json('release', 'show', 'example.com', '--files'), {
    id: second,
    served: true,
    project: 'blog',
    author: { name: 'owner' },
    message: 'menu',
    fileCount: 3,
    kept: 'whole',
    missing: 0,
    live: ['one'],
    files: [{ path: 'a.css', sizeBytes: 1 }, { path: 'index.html' }, { path: 'new.txt' }],
  })
  const shown = await cluster.maki('release', 'show', 'example.com', first.slice(0, 12))
  t.match(
    shown.stdout,
    /^release +\w{52}\npublished .* by owner .*\nsize +3 files, 13 B\nproject +blog\n[\s\S]*kept +whole\npreview +http:\/\/\w{26}--preview\.example\.com\/\n$/,
  )

  const expected = [
    { kind: 'changed', path: 'index.html', wasBytes: 3, isBytes: 4 },
    { kind: 'added', path: 'new.txt', wasBytes: null, isBytes: 5 },
    { kind: 'removed', path: 'old.txt', wasBytes: 9, isBytes: null },
  ]
  t.same(await cluster.json('release', 'diff', 'example.com'), {
    domain: 'example.com',
    from: first,
    to: second,
    changes: expected,
    components: [],
  })
  t.match(await cluster.maki('release', 'diff', 'example.com', second, first), {
    code: 0,
    stdout: /3 paths: 1 added, 1 changed, 1 removed\n\n~ index\.html +4 B → 3 B\n- new\.txt +5 B\n\+ old\.txt +9 B\n/,
  })
  t.match(await cluster.json('release', 'diff', 'example.com', first), { from: null, changes: { length: 3 } })
  t.match(await cluster.maki('release', 'diff', 'example.com', first, first), { stdout: /: the same files\.\n$/ })
  t.match(await cluster.maki('release', 'show', 'example.com', 'zzzz'), { code: 4, stderr: /no release "zzzz"/ })

  const colours = await runInProcess(['release', 'diff', 'example.com'], {
    env: { ...cluster.env, TERM: 'xterm', CI: '' },
    cwd: cluster.directory,
    terminal: true,
  })
  t.match(colours.stdout, '\u001b[32m+ new.txt\u001b[39m')
  await cluster.nodes[0]!.stop()
  t.match(await cluster.maki('release', 'diff', 'example.com'), { code: 3 })
  t.match(await cluster.json('release', 'show', 'example.com', '--offline'), { id: second, kept: null, live: [] })
})

t.test('a release that waits here is shown from here', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('pull')
  const made = await publish(cluster, { 'index.html': 'on a train' }, '--offline')
  t.match(await cluster.json('release', 'diff', 'example.com', '--offline'), {
    from: null,
    to: made,
    changes: [{ kind: 'added', path: 'index.html' }],
  })
})

t.test('rollback --hold keeps sync away until resume', async (t) => {
  await using cluster = await startTestCluster()
  await announceSchema(cluster)
  const first = await publish(cluster, { 'index.html': 'one' })
  await publish(cluster, { 'index.html': 'two' })
  const [node] = cluster.nodes
  const before = await countOwn(cluster, node!)
  const back = await cluster.json<{ release: string }>('rollback', 'example.com', '--hold', '-m', 'the menu is broken')
  t.match(back, { changed: true, to: first, held: true })
  t.equal(await countOwn(cluster, node!), before + 1, 'one operation writes both')

  await writeProject(cluster, { 'index.html': 'three' }, [
    '[[domain.records]]',
    'type = "A"',
    'name = "x"',
    'value = "192.0.2.1"',
  ])
  for (const flags of [[], ['--dry-run'], ['--take-over', '--force']]) {
    const held = await cluster.maki('sync', ...flags)
    t.match(held, {
      code: 4,
      stdout: /Nothing was published: example\.com is held\.\n$/,
      stderr:
        /is held by owner since \d{4}-\d\d-\d\d \d\d:\d\d UTC: "the menu is broken"\. To publish to it again: maki release resume example\.com\n/,
    })
  }
  t.match(await cluster.json('sync'), { domains: [{ domain: 'example.com', held: /is held by owner/, changes: [] }] })
  t.equal(await countOwn(cluster, node!), before + 1)
  t.equal(findRelease(node!.replica.state, example)?.id, back.release)
  t.match(await cluster.maki('release', 'list', 'example.com'), { stderr: /is held by owner.*menu is broken/ })

  t.match(await cluster.maki('release', 'resume', 'example.com'), { code: 0, stdout: /^Resumed example\.com at one/ })
  t.match(await cluster.maki('release', 'resume', 'example.com'), { code: 0, stdout: /^Nobody holds example\.com/ })
  t.match(await cluster.maki('sync'), { code: 0, stdout: /^Synced example\.com/ })
})

t.test('purge keeps the served release, asks, and what was purged is not gone back to', async (t) => {
  await using cluster = await startTestCluster()
  await announceSchema(cluster)
  const [node] = cluster.nodes
  const first = await publish(cluster, { 'index.html': 'secret' })
  const second = await publish(cluster, { 'index.html': 'two', 'a.css': 'a' })
  const third = await publish(cluster, { 'index.html': 'three' })
  const before = await countOwn(cluster, node!)
  const purge = ['release', 'purge', 'example.com']
  t.match(await cluster.maki(...purge), {
    code: 2,
    stderr: /These go.*- \w{10} .*2 files, 4 B.*\nTry: maki release purge example\.com --yes\n$/s,
  })
  const options = { env: cluster.env, cwd: cluster.directory }
  t.match(await runInProcess(purge, { ...options, answer: 'no' }), { code: 1 })
  t.equal(await countOwn(cluster, node!), before)
  t.match(await runInProcess([...purge, '--json'], { ...options, answer: 'y' }), { code: 2 })
  t.match(await cluster.json(...purge, '--yes'), {
    changed: true,
    keep: third,
    purged: [{ id: second }, { id: first }],
  })
  t.match(await cluster.maki(...purge, '--yes'), { code: 0, stdout: /has no release but/ })
  t.same(
    (await cluster.json<Row[]>('release', 'list', 'example.com')).map(({ purged }) => purged),
    [false, true, true],
  )
  t.match(await cluster.maki('rollback', 'example.com', first), {
    code: 4,
    stderr: new RegExp(`was purged: it is never served again\nTry: There are: ${third.slice(0, 10)}\n`),
  })
  t.match(await cluster.maki('rollback', 'example.com'), { code: 4, stderr: /no release before/ })
})

t.test(
  'a rollback to what is not kept any more is refused with what is left, before anything is written',
  async (t) => {
    await using cluster = await startTestCluster()
    const [node] = cluster.nodes
    const first = await publish(cluster, { 'index.html': 'one' })
    const second = await publish(cluster, { 'index.html': 'two' })
    await publish(cluster, { 'index.html': 'three' })
    await node!.blobs.remove(hashBlob(Buffer.from('one')))
    const before = node!.replica.count
    t.match(await cluster.maki('rollback', 'example.com', first), {
      code: 4,
      stderr: new RegExp(`one says that 1 of its files are gone\nTry: There are: .*${second.slice(0, 10)}`),
    })
    t.equal(node!.replica.count, before)
    t.match(await cluster.json('release', 'show', 'example.com', first), { kept: 'partly', missing: 1 })
    t.match(await cluster.json('rollback', 'example.com'), { changed: true, to: second })
  },
)

t.test('releases side by side are merged into one that has seen both', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const base = await publish(cluster, { 'index.html': 'one', 'a.css': 'a', 'b.css': 'b' })
  t.match(await cluster.maki('release', 'merge', 'example.com'), { code: 0, stdout: /no releases side by side/ })
  await publish(cluster, { 'index.html': 'mine', 'a.css': 'mine', 'b.css': 'b' }, '--offline')
  const theirs = await publishAt(cluster, node!, { 'index.html': 'theirs', 'a.css': 'a', 'b.css': 'theirs' })
  t.match(await cluster.json('push'), { waiting: [] })
  const rows = await cluster.json<Row[]>('release', 'list', 'example.com')
  t.same(
    rows.map(({ side }) => side),
    [true, true, false],
  )
  const [winner] = rows
  const planned = await cluster.json('release', 'merge', 'example.com', '--dry-run')
  t.match(planned, { changed: false, base, contested: ['index.html'], files: 3 })
  t.match(await cluster.maki('release', 'merge', 'example.com'), {
    code: 0,
    stdout: new RegExp(
      `^Merged .*3 files.* at one\\.\n\n1 path changed on two sides; the file of ${winner!.id.slice(0, 10)} stands:\n {2}! index\\.html\n$`,
    ),
  })
  t.same(node!.replica.conflicts(), [])
  const merged = findRelease(node!.replica.state, example)!
  const manifest = Manifest.decode(await node!.blobs.read(merged.manifest))
  const text = async (path: string) => Buffer.from(await node!.blobs.read(manifest.find(path)!.hash)).toString()
  t.equal(await text('index.html'), winner!.id === theirs ? 'theirs' : 'mine')
  t.equal(await text('a.css'), 'mine')
  t.equal(await text('b.css'), 'theirs')
})

t.test('a deployer rolls back its domain, and is told what it may not do before it is signed', async (t) => {
  await using cluster = await startTestCluster()
  const [node] = cluster.nodes
  const key = join(cluster.directory, 'ci.key')
  await writeKeyFile(key, new Uint8Array(32).fill(7), 'ci')
  const first = await publish(cluster, { 'index.html': 'one' })
  await publish(cluster, { 'index.html': 'two' })
  await cluster.maki('operator', 'add', 'ci', testKey(7).key, '--role', 'deployer', '--domain', 'example.com')
  t.match(await cluster.json('rollback', 'example.com', '--key', key), { changed: true, to: first })
  const before = node!.replica.count
  const refused = await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '--key', key)
  t.match(refused, {
    code: 4,
    stderr: /this would not count: a deployer may only publish releases\nTry: An operator may do it/,
  })
  t.equal(node!.replica.count, before)
  await writeProject(cluster, { 'index.html': 'three' })
  t.match(await cluster.maki('sync', '--key', key), { code: 0 })
  t.same(node!.replica.voids(), [])
})

t.test('a rollback brings functions back, and works while a node is down', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [one, two] = cluster.nodes
  await announceSchema(cluster)
  const component = Buffer.from('a component')
  await one!.blobs.put(hashBlob(component), chunks(component))
  const functions = [{ path: 'api/hello.wasm', component: hashBlob(component), timeoutMs: 500 }]
  const first = await publish(cluster, { 'index.html': 'one' })
  const { kind, domain, via, ...content } = (await one!.replica.read(first as never))!.changes.find(
    (change) => change.kind === 'release.publish',
  )!
  const withFunctions = await cluster.write(one!, [{ kind, domain, ...content, functions }])
  await publish(cluster, { 'index.html': 'two' })
  await two!.stop()
  t.match(await cluster.json('rollback', 'example.com'), { changed: true, to: withFunctions.id, node: 'one' })
  t.same(findRelease(one!.replica.state, example)?.functions, functions)
  t.match(await cluster.json('release', 'show', 'example.com'), { functions: ['api/hello.wasm'], kept: 'whole' })
  await one!.blobs.remove(hashBlob(component))
  t.match(await cluster.json('release', 'show', 'example.com'), { kept: 'partly', missing: 1 }, 'components count too')
})
