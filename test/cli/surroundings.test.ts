import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test as Tap } from 'tap'
import { type Outcome, runInProcess, startTestCluster, type TestCluster } from './support/test-cluster.ts'

/** What is wrong around a `maki`: its profile, its keys, its disk, others like it. Said in words, and nothing is half done. */

const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
const set = (name: string): string[] => ['record', 'set', 'example.com', name, 'A', '192.0.2.1']

function checkWords(t: Tap, outcome: Outcome, expected: { code: number; says: RegExp }, what: string): void {
  const { code, stdout, stderr } = outcome
  t.strictSame({ code, stdout }, { code: expected.code, stdout: '' }, what, { stderr })
  t.match(stderr, expected.says, what)
  t.match(stderr, /^Error: .+[\s\S]*\nTry: .+/m, `${what}: what to do`)
  t.notMatch(stderr, /fault of maki|\n {4}at /, `${what}: no stack, no fault of ours`)
}

t.test('a profile that is missing, broken or of another cluster', async (t) => {
  await using cluster = await startTestCluster()
  await using other = await startTestCluster()
  const run = (profile: string, ...argv: string[]) =>
    runInProcess(argv, { env: { ...cluster.env, MAKIATTO_PROFILE: profile }, cwd: cluster.directory })
  const at = (name: string): string => join(cluster.directory, name)
  const write = async (name: string, text: string | Uint8Array): Promise<string> => {
    await writeFile(at(name), text)
    return at(name)
  }
  await mkdir(at('folder.toml'))
  await symlink('loop.toml', at('loop.toml'))
  const sound = await readFile(cluster.profile, 'utf8')
  const cases: [string, string, RegExp][] = [
    ['missing', at('none.toml'), /there is no profile.*none\.toml/s],
    ['a folder', at('folder.toml'), /folder\.toml.*it is a folder/s],
    ['a link in a circle', at('loop.toml'), /loop\.toml/],
    ['empty', await write('empty.toml', ''), /empty\.toml.*cluster/s],
    ['no TOML', await write('page.toml', '<html>'), /page\.toml:1:/],
    ['cut off', await write('cut.toml', sound.slice(0, -20)), /cut\.toml:\d+:/],
    ['not text', await write('bytes.toml', Buffer.from([0xff, 0xfe, 0, 1])), /bytes\.toml/],
    ['no cluster id', await write('id.toml', sound.replace(/cluster = "\w+"/, 'cluster = "abc"')), /id\.toml:1:/],
    ['one machine twice', await write('twice.toml', `${sound}${sound.slice(sound.indexOf('[['))}`), /twice\.toml:\d+:/],
  ]
  for (const [what, file, says] of cases) checkWords(t, await run(file, 'status'), { code: 2, says }, what)
  const [machine] = other.nodes
  const strange = `cluster = "${cluster.cluster}"\ndata = "data"\n[[machines]]\nname = "one"\ncontrol = "${machine!.socketPath}"\n`
  const file = await write('other.toml', strange)
  checkWords(t, await run(file, 'pull'), { code: 3, says: /one belongs to another cluster/ }, 'of another cluster')
  t.match(await run(file, 'record', 'list'), { code: 0, stderr: /one belongs to another cluster/ })
  const before = machine!.replica.count
  await cluster.maki('pull')
  t.match(await run(file, ...set('strange')), { code: 0, stderr: /one belongs to another cluster.*waits? here/s })
  t.equal(machine!.replica.count, before, 'the other cluster got nothing')
})

t.test('keys with wrong modes, of another kind, or none', async (t) => {
  await using cluster = await startTestCluster()
  const data = join(cluster.directory, 'data')
  const key = join(data, 'operator.key')
  await cluster.maki('push')
  await chmod(key, 0o640)
  const says = /the key file .*operator\.key may be read by others \(mode 640\).*Try: chmod 600 /s
  checkWords(t, await cluster.maki(...set('a')), { code: 2, says }, 'a key that others can read')
  await chmod(key, 0o600)
  const copy = join(cluster.directory, 'ci.key')
  await cp(key, copy)
  await chmod(copy, 0o644)
  checkWords(
    t,
    await cluster.maki(...set('a'), '--key', copy),
    { code: 2, says: /ci\.key may be read by others/ },
    '--key',
  )
  await writeFile(copy, 'no key\n', { mode: 0o600 })
  await chmod(copy, 0o600)
  checkWords(
    t,
    await cluster.maki(...set('a'), '--key', copy),
    { code: 2, says: /ci\.key is not a key file/ },
    'no key',
  )
  checkWords(
    t,
    await cluster.maki(...set('a'), '--key', 'none.key'),
    { code: 4, says: /there is no key file none\.key/ },
    'none',
  )
  t.match(await cluster.maki('record', 'list', '--json'), { stdout: /^((?!"a\.example).)*$/s }, 'nothing was written')
  await chmod(data, 0o755)
  t.match(await cluster.maki(...set('b')), { code: 0 })
})

t.test('ten at once on one copy: each is done, one after the other', async (t) => {
  await using cluster = await startTestCluster()
  const names = Array.from({ length: 10 }, (_, i) => `n${i}`)
  const outcomes = await Promise.all(names.map((name) => cluster.maki(...set(name))))
  for (const { code, stderr } of outcomes) t.equal(code, 0, stderr)
  const rows = await cluster.json<{ name: string }[]>('record', 'list')
  t.strictSame(
    names.filter((name) => !rows.some((row) => row.name === `${name}.example.com`)),
    [],
  )
  t.equal((await cluster.json<{ operations: object[] }>('push', '--dry-run')).operations.length, 0, 'nothing waits')
})

/** `maki` in a namespace where the copy of the cluster is on a disk that has no room, or is read-only. */
async function runOnDisk(cluster: TestCluster, disk: 'full' | 'read-only', argv: readonly string[]): Promise<Outcome> {
  const script = `mount -t tmpfs -o size=2m tmpfs "$1" && cp -a "$2/." "$1/" && case $3 in full) cat /dev/zero 2>&- > "$1/else" ;; *) mount -o remount,ro "$1" ;; esac; shift 3 && exec "$@"`
  const child = spawn(
    'unshare',
    [
      '-rm',
      'sh',
      '-c',
      script,
      'sh',
      join(cluster.directory, 'data'),
      join(cluster.directory, 'copy'),
      disk,
      process.execPath,
      MAIN,
      ...argv,
    ],
    { env: cluster.env, cwd: cluster.directory, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (text[name] += chunk))
  const [code] = await once(child, 'close')
  return { code: code as number, ...text }
}

t.test('a disk that is full, or may not be written', async (t) => {
  await using cluster = await startTestCluster()
  await cluster.maki('push')
  await cp(join(cluster.directory, 'data'), join(cluster.directory, 'copy'), { recursive: true })
  const before = cluster.nodes[0]!.replica.count
  for (const argv of [['record', 'list'], set('x')]) {
    const full = await runOnDisk(cluster, 'full', argv)
    checkWords(
      t,
      full,
      { code: 4, says: /copy of the cluster in .*data cannot be opened: the disk is full[\s\S]*Try: Make room/ },
      `full: ${argv.join(' ')}`,
    )
    const fixed = await runOnDisk(cluster, 'read-only', argv)
    checkWords(
      t,
      fixed,
      { code: 4, says: /copy of the cluster in .*data cannot be opened:.*read-only/ },
      `read-only: ${argv.join(' ')}`,
    )
  }
  t.equal(cluster.nodes[0]!.replica.count, before)
})
