import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { findRelease, sealPurpose } from '../../../core/index.ts'
import { buildJsGuest } from '../../support/guests/build-js.ts'
import { buildWatGuest } from '../../support/guests/build-wat.ts'
import { announceSchema, example, startTestCluster, type TestCluster } from '../support/test-cluster.ts'

const COMPONENT = await buildWatGuest('http-echo')
const TRANSFORM = await buildWatGuest('transform-none')
const BASE = '[[domain]]\nname = "example.com"\npath = "site"\n'

async function write(cluster: TestCluster, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(cluster.directory, path)), { recursive: true })
    await writeFile(join(cluster.directory, path), content)
  }
}

/** A site with a function that has a secret, synced once. */
async function startWithFunction(options: { nodes?: readonly string[] } = {}) {
  const cluster = await startTestCluster(options)
  await announceSchema(cluster)
  const config = (secret: string) =>
    `${BASE}[[domain.functions]]\npath = "api/pay.wasm"\nmethods = ["POST"]\nenv = { TOKEN = "${secret}", MODE = "live" }\n`
  await write(cluster, {
    'makiatto.toml': config('tiger'),
    'site/index.html': 'hello',
    'site/api/pay.wasm': COMPONENT,
  })
  const { replica } = cluster.nodes[0]!
  const release = () => findRelease(replica.state, example)
  const sync = (...flags: string[]) => cluster.maki('sync', '--take-over', ...flags)
  return { cluster, config, replica, release, sync }
}

t.test('components are stored beside the files, with sealed env; unchanged env writes nothing', async (t) => {
  const { cluster, config, replica, release, sync } = await startWithFunction()
  await using _ = cluster
  const first = await sync()
  t.equal(first.code, 0, first.stderr)
  t.notMatch(first.stderr, 'Warning')
  const published = release()!
  t.equal(published.files, 1, 'the component is no file of the site')
  t.match(published.functions, [{ path: 'api/pay.wasm', methods: ['POST'] }])
  t.same(Object.keys(published.functions![0]!.env ?? {}), ['MODE', 'TOKEN'])
  t.notMatch(JSON.stringify(replica.snapshot()), 'tiger')
  t.equal(await cluster.nodes[0]!.blobs.size(published.functions![0]!.component), COMPONENT.length)

  const count = replica.count
  t.match(await sync(), { code: 0, stdout: /Nothing to do/ })
  t.equal(replica.count, count)

  await write(cluster, { 'makiatto.toml': config('lion') })
  t.equal((await sync()).code, 0)
  const changed = release()!.functions![0]!.env!
  t.not(changed.TOKEN?.box, published.functions![0]!.env!.TOKEN?.box)
  t.same(changed.MODE, published.functions![0]!.env!.MODE, 'only what changed is sealed anew')

  await write(cluster, { 'site/index.html': 'hello again' })
  t.equal((await sync()).code, 0)
  t.same(release()!.functions![0]!.env, changed, 'another file leaves the secrets as they are')
  t.match(await cluster.maki('history', '--limit', '1'), { stdout: /1 file, 11 B, 1 function/ })
})

t.test('offline: nothing stale is ever published', async (t) => {
  const { cluster, config, release, sync } = await startWithFunction()
  await using _ = cluster
  t.equal((await sync()).code, 0)
  const before = release()!.functions![0]!.env!
  t.match(await sync('--offline'), {
    code: 0,
    stdout: /Nothing to do/,
    stderr: /whether values of env changed can only be asked of a node; they stay/,
  })
  await write(cluster, { 'makiatto.toml': config('lion'), 'site/index.html': 'new' })
  t.equal((await sync('--offline')).code, 0)
  t.equal((await cluster.maki('push')).code, 0)
  const after = release()!.functions![0]!.env!
  t.not(after.TOKEN?.box, before.TOKEN?.box)
  t.not(after.MODE?.box, before.MODE?.box, 'what could not be compared is sealed anew')
})

t.test('a rollback stays while the files are those of the last sync', async (t) => {
  const { cluster, config, release, replica, sync } = await startWithFunction()
  await using _ = cluster
  t.equal((await sync()).code, 0)
  const first = release()!
  await write(cluster, { 'makiatto.toml': config('lion') })
  t.equal((await sync()).code, 0)
  t.equal((await cluster.maki('rollback', 'example.com')).code, 0)
  const count = replica.count
  t.same(release()!.functions, first.functions)
  const again = await cluster.maki('sync')
  t.match(again, { code: 0, stderr: /was rolled back; whether values of env changed/ })
  t.equal(replica.count, count)
})

t.test('what is no component, or lies among published files, is refused', async (t) => {
  const { cluster, config, sync } = await startWithFunction()
  await using _ = cluster
  await write(cluster, { 'site/api/pay.wasm': Buffer.from('0061736d01000000', 'hex') })
  // Nodes write by themselves what they announce and grant; of the site nothing is.
  const { replica } = cluster.nodes[0]!
  t.equal(findRelease(replica.state, example), undefined)
  t.match(await sync(), {
    code: 2,
    stderr:
      /makiatto\.toml:5:8: domain\[0\]\.functions\[0\]\.path: api\/pay\.wasm is not fit: .* core module .*\nTry: /,
  })
  await write(cluster, { 'site/api/pay.wasm': TRANSFORM })
  t.match(await sync(), {
    code: 2,
    stderr: /:5:8: .* is a transform, and a function is wanted here\nTry: Move it to \[\[domain\.transforms\]\]/,
  })
  const both = `${BASE}[[domain.transforms]]\npath = "f.wasm"\nfiles = "*"\n[[domain.functions]]\npath = "x.wasm"\nmax_memory_mb = 1\n`
  await write(cluster, {
    'makiatto.toml': both,
    'site/f.wasm': COMPONENT,
    'site/x.wasm': await buildJsGuest('http-hello'),
  })
  t.match(await sync(), {
    code: 2,
    stderr: /2 components are not fit:\n.*:8:8: .*x\.wasm needs 2 MiB of memory.*\n.*:5:8: .*f\.wasm is a function/,
  })
  t.equal(findRelease(replica.state, example), undefined, 'nothing was published')
  await write(cluster, { 'makiatto.toml': config('tiger'), 'site/api/pay.wasm': COMPONENT })
  t.equal((await sync('--dry-run')).code, 0)
})

t.test('status lists what a removed machine may know', async (t) => {
  const { cluster, sync } = await startWithFunction({ nodes: ['one', 'two'] })
  await using _ = cluster
  t.equal((await sync('--wait', 'none')).code, 0)
  t.match(await cluster.json('status'), { exposed: [] })
  const [one, two] = await cluster.json<{ nodes: { key: string }[] }>('status').then(({ nodes }) => nodes)
  t.ok(one)
  await cluster.write(cluster.nodes[0]!, [{ kind: 'node.remove', key: two!.key as never, how: 'revoke' }])
  t.equal((await cluster.maki('pull')).code, 0)
  const { exposed } = await cluster.json<{ exposed: { what: string }[] }>('status')
  t.match(exposed, [
    { kind: 'env', domain: 'example.com', component: 'api/pay.wasm', name: 'MODE' },
    { kind: 'env', name: 'TOKEN' },
  ])
  t.match((await cluster.maki('status')).stdout, /exposed.*TOKEN of api\/pay\.wasm at example\.com/)
  t.equal(sealPurpose.env(example, 'api/pay.wasm', 'TOKEN'), 'env example.com TOKEN api/pay.wasm')
})
