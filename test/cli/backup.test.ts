import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { readTar, TAR_END, type TarFile, tarFile } from '../../cli/archive/index.ts'
import { readBackup } from '../../cli/backup/read-backup.ts'
import { findDomain, hashBlob } from '../../core/index.ts'
import { createRandom, seeds } from '../support/seeds.ts'
import { example, runInProcess, startTestCluster, type TestCluster } from './support/test-cluster.ts'
import { startTestNode } from './support/test-node.ts'

interface Backup {
  readonly operations: number
  readonly files: number | null
  readonly missing: readonly object[]
}
interface Restored {
  readonly profile: string | null
  readonly operations: { readonly read: number; readonly added: number; readonly refused: number }
  readonly files: { readonly inBackup: number; readonly sent: number } | null
  readonly node: string | null
}

const BIG = Buffer.alloc(3 * 1024 * 1024, 'big')

async function publish(cluster: TestCluster, words = 'hello'): Promise<void> {
  await mkdir(join(cluster.directory, 'site'), { recursive: true })
  await writeFile(join(cluster.directory, 'site', 'index.html'), words)
  await writeFile(join(cluster.directory, 'site', 'big.bin'), BIG)
  await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]]\nname = "example.com"\npath = "site"\n')
  const { code, stderr } = await cluster.maki('sync', '--take-over')
  if (code !== 0) throw new Error(stderr)
}

/** Another computer, on which nobody has typed anything. */
function newComputer(cluster: TestCluster, name: string) {
  const home = join(cluster.directory, name)
  const env = { HOME: home, PATH: process.env.PATH ?? '' }
  return {
    home,
    maki: async (...argv: string[]) => {
      await mkdir(home, { recursive: true })
      return await runInProcess(argv, { env, cwd: home })
    },
  }
}

const unpack = async (file: string): Promise<readonly TarFile[]> => [
  ...readTar(zstdDecompressSync(await readFile(file))),
]
const pack = (files: readonly Pick<TarFile, 'path' | 'content'>[]): Buffer =>
  zstdCompressSync(Buffer.concat([...files.flatMap(({ path, content }) => [...tarFile(path, content)]), TAR_END]))

t.test('a backup has all of it, is read by tar, and holds nothing secret', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster, 'before')
  await publish(cluster, 'after')
  const file = join(cluster.directory, 'c.tar.zst')
  const made = await cluster.json<Backup>('backup', file)
  t.match(
    made,
    { operations: cluster.nodes[0]!.replica.count, files: 5, missing: [] },
    'two lists, two pages, one big file',
  )
  t.equal((await stat(file)).mode & 0o777, 0o600)
  const folder = join(cluster.directory, 'unpacked')
  await mkdir(folder)
  execFileSync('tar', ['--zstd', '-xf', file, '-C', folder])
  t.match(await readFile(join(folder, 'README.txt'), 'utf8'), /backup of the cluster test/)
  t.same(await readFile(join(folder, 'blobs', hashBlob(Buffer.from('before'))), 'utf8'), 'before')
  t.equal((await readdir(join(folder, 'operations'))).length, made.operations)
  const key = (await readFile(join(cluster.directory, 'data', 'operator.key'), 'utf8')).split('\n')[1] as string
  const all = Buffer.concat((await unpack(file)).map(({ content }) => Buffer.from(content)))
  t.notOk(all.includes(key), 'no private key')
  t.match(await cluster.maki('backup', file), { code: 4, stderr: /is there already.*Try: Give another name/s })
  t.match(await cluster.maki('backup', join(cluster.directory, 'no', 'c')), { code: 4, stderr: /no folder for/ })
  t.same(
    (await readdir(cluster.directory)).filter((name) => name.includes('partial')),
    [],
    'nothing half is left',
  )
})

t.test('a new computer without a node, and then a new node', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster)
  await cluster.json('record', 'set', 'example.com', '@', 'TXT', 'words')
  const file = join(cluster.directory, 'c.tar.zst')
  await cluster.json('backup', file)
  await cluster.nodes[0]!.stop()

  const laptop = newComputer(cluster, 'new')
  t.match(await laptop.maki('restore', file), { code: 2, stderr: /--yes/ })
  const restored = await laptop.maki('restore', file, '--yes')
  t.equal(restored.code, 0, restored.stderr)
  t.match(
    restored.stdout,
    /Written .*default\.toml.*Restored (\d+) of \1 operations here.*No node has answered.*cluster recover/s,
  )
  const history = await laptop.maki('history', '--json')
  t.equal(JSON.parse(history.stdout).length, cluster.nodes[0]!.replica.count)
  t.match(await laptop.maki('record', 'list', 'example.com', '@', 'TXT'), { code: 0, stdout: /"words"/ })
  const recovered = await laptop.maki(
    ...['cluster', 'recover', '--recovery-key', join(cluster.directory, 'recovery.key'), '--yes'],
  )
  t.equal(recovered.code, 0, recovered.stderr)

  await using fresh = await startTestNode({
    directory: join(cluster.directory, 'new'),
    cluster: cluster.cluster,
    creation: cluster.created.creation.bytes,
    name: 'fresh',
  })
  const profile = join(laptop.home, 'fresh.toml')
  const data = join(laptop.home, '.local/share/makiatto', cluster.cluster)
  await writeFile(
    profile,
    `cluster = "${cluster.cluster}"\ndata = "${data}"\n[[machines]]\nname = "fresh"\ncontrol = "${fresh.socketPath}"\n`,
  )
  const given = await laptop.maki('restore', file, '--profile', profile, '--json')
  t.equal(given.code, 0, given.stderr)
  t.match(JSON.parse(given.stdout), { profile: null, node: 'fresh', files: { inBackup: 3, sent: 3 } })
  t.same(
    [...cluster.nodes[0]!.replica.ids()].filter((id) => !fresh.replica.has(id)),
    [],
    'every operation',
  )
  t.equal(findDomain(fresh.replica.state, example)?.release?.files, 2)
  t.same(await fresh.blobs.read(hashBlob(BIG)), BIG)
  const again = await laptop.maki('restore', file, '--profile', profile, '--json')
  t.match(JSON.parse(again.stdout) as Restored, { operations: { added: 0 }, files: { sent: 0 } }, 'and once is enough')
})

t.test('nothing is taken back, and what went is not brought to another cluster', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster)
  const file = join(cluster.directory, 'c.tar.zst')
  await cluster.json('backup', file)
  await cluster.json('record', 'set', 'example.com', '@', 'TXT', 'later')
  const before = cluster.nodes[0]!.replica.digest()
  t.match(await cluster.json('restore', file), { profile: null, operations: { added: 0 }, node: 'one' })
  t.same(cluster.nodes[0]!.replica.digest(), before)
  await using other = await startTestCluster()
  t.match(await other.maki('restore', file), { code: 4, stderr: /is the profile of another cluster.*--profile OTHER/s })
  t.match(await other.maki('restore', join(cluster.directory, 'none')), { code: 4, stderr: /there is no file/ })
  t.match(await other.maki('restore', cluster.directory), { code: 2, stderr: /it is a folder/ })
})

t.test('without files, and without those that the node lacks', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster)
  const file = join(cluster.directory, 'a.tar.zst')
  t.match(await cluster.json('backup', file, '--without-files', '--offline'), { files: null, bytes: 0 })
  t.match(await cluster.json('restore', file), { files: null })
  await cluster.nodes[0]!.blobs.remove(hashBlob(BIG))
  const partly = await cluster.maki('backup', join(cluster.directory, 'b.tar.zst'))
  t.match(partly, { code: 1, stderr: /1 file of example\.com are not on the node/ })
  await cluster.nodes[0]!.stop()
  t.match(await cluster.maki('backup', join(cluster.directory, 'd.tar.zst')), { code: 3 })
})

const drain = async (file: string): Promise<number> => {
  let parts = 0
  for await (const part of readBackup(file)) {
    parts++
    if (part.kind === 'blob') for await (const _ of part.chunks);
  }
  return parts
}

t.test('what is damaged, cut short, or made to harm is refused, and writes nothing', async (t) => {
  await using cluster = await startTestCluster()
  await publish(cluster)
  const file = join(cluster.directory, 'c.tar.zst')
  await cluster.json('backup', file)
  const good = await unpack(file)
  const bytes = await readFile(file)
  const bad = join(cluster.directory, 'bad')
  const refuses = async (t: Test, content: Uint8Array, why: string, message = /no whole backup/) => {
    await writeFile(bad, content)
    await t.rejects(drain(bad), { code: 'MAKI_INVALID', message, hint: String }, why)
  }
  const change = (path: string, content: string | Uint8Array, at = path): Buffer =>
    pack(good.map((one) => (one.path === path ? { path: at, content: Buffer.from(content) } : one)))
  const blob = good.find(({ path }) => path.startsWith('blobs/')) as TarFile
  const names = ['../../etc/passwd', '/etc/passwd', 'blobs/../x', `blobs/${'a'.repeat(64)}`, 'blobs/', 'operations/9']
  for (const name of names) await refuses(t, change(blob.path, 'x', name), name, /does not belong there|ends before/)
  await refuses(t, change('backup.json', '{'), 'no JSON')
  await refuses(t, change('backup.json', '{"format":2}'), 'another format')
  await refuses(t, change('blobs.txt', 'x\n'), 'no list')
  await refuses(t, pack(good.slice(0, -1)), 'a file less')
  await refuses(t, pack([...good, blob]), 'a file twice')
  await refuses(t, pack([]), 'nothing')
  await refuses(t, Buffer.from('nothing of the kind'), 'no archive')
  const link = zstdDecompressSync(pack(good.slice(0, 4)))
  link[156] = '2'.charCodeAt(0)
  const sum = link.subarray(0, 512).reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0)
  link.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  await refuses(t, zstdCompressSync(link), 'a link', /no plain file/)
  for (const seed of seeds(30)) {
    const random = createRandom(seed)
    await refuses(t, bytes.subarray(0, random.integer(bytes.length - 1)), `cut short (SEED=${seed})`)
  }
  // A bit of a file's content is found by its name when it is handed over.
  const wrong = Buffer.from(blob.content)
  wrong[0] = (wrong[0] ?? 0) ^ 1
  await writeFile(bad, change(blob.path, wrong))
  await cluster.nodes[0]!.blobs.remove(blob.path.slice('blobs/'.length) as never)
  t.match(await cluster.maki('restore', bad), { code: 4, stderr: /Error: / })
  t.same(await cluster.nodes[0]!.blobs.missing([blob.path.slice('blobs/'.length) as never]), [
    blob.path.slice('blobs/'.length),
  ])
  await chmod(bad, 0o600)
})
