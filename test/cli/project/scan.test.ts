import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { chmod, link, mkdir, mkdtemp, readFile, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { type ScanOptions, scanSite } from '../../../cli/project/scan.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, MakiError } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { hastyRuntime } from './test-runtime.ts'

async function makeTree(t: Test, files: Record<string, string>): Promise<string> {
  const root = join(t.testdir({}), 'site')
  await mkdir(root)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

/** Leaves size and modification time as they were, to the nanosecond. */
function overwriteUnseen(file: string, content: string): void {
  const reference = `${dirname(dirname(file))}/reference`
  writeFileSync(reference, '')
  execFileSync('touch', ['-r', file, reference])
  writeFileSync(file, content)
  execFileSync('touch', ['-r', reference, file])
}

const scan = (root: string, options: Partial<ScanOptions> = {}) =>
  scanSite('example.com', root, { runtime: hastyRuntime, ...options })

async function pathsOf(root: string, options: Partial<ScanOptions> = {}): Promise<string[]> {
  return (await scan(root, options)).files.map(({ path }) => path)
}

async function faultOf(root: string, options: Partial<ScanOptions> = {}): Promise<MakiError> {
  const thrown = await scan(root, options).catch((error: unknown) => error)
  if (thrown instanceof MakiError) return thrown
  throw thrown instanceof Error ? thrown : new Error('nothing was thrown')
}

for (const seed of seeds(20)) {
  t.test(`every file is found under its own name, with its hash and size (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const names = [
      'a',
      'with space',
      '"quoted"',
      "it's",
      'new\nline',
      'é',
      'e\u0301',
      'Ω🦊',
      '-rf',
      '*',
      '%2e',
      '\u200b',
      '~',
      'x.html',
    ]
    const files: Record<string, string> = {}
    for (let i = 0; i < 1 + random.integer(30); i++) {
      const folders = Array.from({ length: random.integer(3) }, () => `${random.pick(names)}.d`)
      files[[...folders, random.pick(names)].join('/')] = random.pick(['', 'x', 'y'.repeat(random.integer(3_000_000))])
    }
    const root = await makeTree(t, files)
    const { files: found } = await scan(root)
    const expected = Object.entries(files).map(([path, content]) => ({
      path,
      source: join(root, path),
      hash: hashBlob(Buffer.from(content)),
      sizeBytes: Buffer.byteLength(content),
    }))
    t.same(
      found,
      expected.sort((a, b) => (a.path < b.path ? -1 : 1)),
    )
  })
}

t.test('what is never published is left out', async (t) => {
  const root = await makeTree(t, {
    'index.html': '',
    '.env': 'secret',
    '.git/config': 'secret',
    '.well-known/security.txt': 'ok',
    '.well-known/.hidden': 'secret',
    'node_modules/x/index.js': '',
    'sub/node_modules/x.js': '',
    'sub/.DS_Store': '',
    _headers: '',
    _redirects: '',
    '_headers.txt': '',
    'sub/_redirects': '',
    'makiatto.toml': '',
    'sub/makiatto.toml': '',
  })
  const { files, warnings } = await scan(root, { excluded: [join(root, 'makiatto.toml')] })
  t.same(
    files.map(({ path }) => path),
    ['.well-known/security.txt', '_headers', '_headers.txt', '_redirects', 'index.html', 'sub/makiatto.toml'],
  )
  t.same(warnings, ['"sub/_redirects": neither published nor followed; rules stand at the top of the site'])
})

t.test('the keys of a cluster are never published, wherever they lie', async (t) => {
  const key = {
    'operator/operator.key': 'secret',
    'recovery.key': 'secret',
    'profile.toml': '',
    'node1/keys/node.key': 'secret',
  }
  const under = (folder: string) =>
    Object.fromEntries(Object.entries(key).map(([path, text]) => [`${folder}/${path}`, text]))
  const root = await makeTree(t, {
    'a.txt': 'a',
    ...under('cluster'),
    ...under('deep/cluster.old-x'),
    'copy/operator.key': 'x',
  })
  t.strictSame(await pathsOf(root), ['a.txt'])
  t.match((await faultOf(join(root, 'cluster'))).message, /holds the keys of a cluster, and is no site/)
})

t.test('links inside the site are followed', async (t) => {
  const root = await makeTree(t, { 'a.txt': 'a', 'dir/b.txt': 'b' })
  await symlink('a.txt', join(root, 'to-file'))
  await symlink(join(root, 'dir'), join(root, 'to-dir'))
  await symlink('../a.txt', join(root, 'dir/up'))
  await link(join(root, 'a.txt'), join(root, 'hard'))
  t.same(await pathsOf(root), ['a.txt', 'dir/b.txt', 'dir/up', 'hard', 'to-dir/b.txt', 'to-dir/up', 'to-file'])
  await symlink(root, `${root}-link`)
  t.same((await pathsOf(`${root}-link`)).length, 7, 'the site itself may be a link')
})

t.test('links that leave the site, lead nowhere or never end are named, all at once', async (t) => {
  const root = await makeTree(t, { 'a.txt': 'a', 'dir/b.txt': '', '.env': 'secret', 'node_modules/m.js': '' })
  const outside = join(dirname(root), 'site-outside.txt')
  await writeFile(outside, 'secret')
  await symlink('/etc/passwd', join(root, 'passwd'))
  await symlink('../site-outside.txt', join(root, 'beside'))
  await symlink('nothing', join(root, 'dangling'))
  await symlink('itself', join(root, 'itself'))
  await symlink('..', join(root, 'dir/parent'))
  await symlink('.', join(root, 'here'))
  await symlink('.env', join(root, 'env.txt'))
  await symlink('node_modules', join(root, 'modules'))
  const error = await faultOf(root)
  t.equal(error.code, 'MAKI_CONFIG')
  t.same(error.message.replaceAll(`${root}-`, 'OUT/site-').replaceAll(root, 'SITE').split('\n').slice(1).sort(), [
    '  "beside" is a link that leaves the site: it leads to OUT/site-outside.txt',
    '  "dangling" is a link that leads to nothing',
    '  "dir/parent" is a link to SITE, a folder that contains it',
    '  "env.txt" is a link to SITE/.env, which is never published',
    '  "here" is a link to SITE, a folder that contains it',
    '  "itself" is a link that leads to itself',
    '  "modules" is a link to SITE/node_modules, which is never published',
    '  "passwd" is a link that leaves the site: it leads to /etc/passwd',
  ])
})

t.test('two links that lead into each other’s folders end', async (t) => {
  const root = await makeTree(t, { 'a/x': '', 'b/y': '' })
  await symlink('../b', join(root, 'a/to-b'))
  await symlink('../a', join(root, 'b/to-a'))
  t.match((await faultOf(root)).message, 'a folder that contains it')
})

t.test('pipes, sockets and names that are no UTF-8 are named, not waited for', async (t) => {
  const root = await makeTree(t, { 'ok.txt': '', 'sub/ok\ufffd.txt': '' })
  execFileSync('mkfifo', [join(root, 'pipe')])
  // A short path: the name of a unix socket has 107 bytes at most.
  const socket = createServer().listen(`/tmp/maki-scan-${process.pid}.sock`)
  t.teardown(() => socket.close())
  await new Promise<void>((resolve) => socket.once('listening', resolve))
  await rename(`/tmp/maki-scan-${process.pid}.sock`, join(root, 'socket'))
  writeFileSync(Buffer.concat([Buffer.from(`${root}/sub/bad-`), Buffer.from([0xff, 0x0a])]), '')
  t.same((await faultOf(root)).message.split('\n').slice(1).sort(), [
    '  "pipe" is a named pipe, not a file',
    '  "socket" is a socket, not a file',
    '  "sub" has a file whose name is not UTF-8: bad-\\xff\\x0a',
  ])
})

t.test('a name that no browser can ask for is refused', async (t) => {
  const root = await makeTree(t, { 'ok.txt': '', 'sub/back\\slash.txt': '' })
  t.same((await faultOf(root)).message.split('\n').slice(1), [
    '  "sub/back\\\\slash.txt" cannot be published: the path has a backslash',
  ])
})

t.test('what may not be read is named with what to do', async (t) => {
  // Outside of the checkout, whose folders another user may have no way through.
  const root = await mkdtemp(join(tmpdir(), 'maki-scan-'))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  await chmod(root, 0o755)
  await writeFile(join(root, 'ok.txt'), '')
  await writeFile(join(root, 'secret.txt'), '', { mode: 0o000 })
  await mkdir(join(root, 'closed'), { mode: 0o000 })
  // Root may read everything: become somebody else for the moment.
  const isRoot = process.getuid?.() === 0
  const faults = async () => {
    if (isRoot) process.seteuid?.(65534)
    try {
      return (await faultOf(root)).message.split('\n').slice(1)
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  }
  t.same(await faults(), ['  "closed" may not be read by you: give yourself the right (chmod u+r), or remove it'])
  await rmdir(join(root, 'closed'))
  t.same(await faults(), ['  "secret.txt" may not be read by you: give yourself the right (chmod u+r), or remove it'])
})

t.test('an empty folder is refused unless it is meant', async (t) => {
  const root = await makeTree(t, { '.gitkeep': '' })
  const error = await faultOf(root)
  t.equal(error.code, 'MAKI_CONFIG')
  t.equal(error.message, `${root} has no files to publish as example.com (left out: ".gitkeep")`)
  t.match(error.hint, '--allow-empty')
  t.same(await pathsOf(root, { allowEmpty: true }), [])
  await t.rejects(scan(join(root, 'nowhere')), { code: 'MAKI_CONFIG' })
})

t.test('names that are one name elsewhere are warned of', async (t) => {
  const root = await makeTree(t, { 'Read.me': '', 'read.me': '', 'caf\u00e9': '', 'cafe\u0301': '' })
  const { warnings } = await scan(root)
  t.same(warnings, [
    '"cafe\u0301" and "caf\u00e9" differ only in case or accents\' encoding',
    '"Read.me" and "read.me" differ only in case or accents\' encoding',
  ])
})

t.test('a file that changes while it is read is read again', async (t) => {
  const root = await makeTree(t, { a: 'old', big: 'x'.repeat(3_000_000) })
  let changes = 2
  const { files } = await scan(root, {
    afterRead(path) {
      if (changes-- > 0) appendFileSync(join(root, path), 'more')
    },
  })
  for (const file of files) t.equal(file.hash, hashBlob(readFileSync(file.source)), file.path)
})

t.test('a file of the same size and time that changes while it is read is noticed by its other times', async (t) => {
  const root = await makeTree(t, { a: 'old' })
  let isFirst = true
  const { files } = await scan(root, {
    afterRead() {
      if (!isFirst) return
      isFirst = false
      overwriteUnseen(join(root, 'a'), 'new')
    },
  })
  t.equal(files[0]?.hash, hashBlob(Buffer.from('new')))
})

t.test('a file that goes away while it is read, and one that never rests', async (t) => {
  const root = await makeTree(t, { a: '1', b: '2' })
  t.same(await pathsOf(root, { afterRead: (path) => path === 'a' && rmSync(join(root, 'b'), { force: true }) }), ['a'])
  let size = 0
  const error = await faultOf(root, { afterRead: () => writeFileSync(join(root, 'a'), 'x'.repeat(++size)) })
  t.equal(error.code, 'MAKI_CONFLICT')
  t.equal(error.message, 'the files of example.com keep changing while they are read: "a"')
})

t.test('what did not change is not read again; what did is', async (t) => {
  const root = await makeTree(t, { a: 'aaa', b: 'bbb', c: 'ccc' })
  const cacheFile = join(dirname(root), 'cache')
  const read: string[] = []
  const options = { cacheFile, afterRead: (path: string) => void read.push(path) }
  await scan(root, options)
  t.same(read.splice(0).sort(), ['a', 'b', 'c'])
  const before = await scan(root, options)
  t.same(read, [])
  // Same size and same modification time: only the inode's change time tells.
  overwriteUnseen(join(root, 'b'), 'BBB')
  // The same file under the same name, replaced by rename.
  await writeFile(join(root, '.new'), 'CCC')
  execFileSync('touch', ['-r', join(root, 'c'), join(root, '.new')])
  await rename(join(root, '.new'), join(root, 'c'))
  const after = await scan(root, options)
  t.same(read.splice(0).sort(), ['b', 'c'])
  t.equal(after.files[0]?.hash, before.files[0]?.hash)
  t.equal(after.files[1]?.hash, hashBlob(Buffer.from('BBB')))
  t.equal(after.files[2]?.hash, hashBlob(Buffer.from('CCC')))
})

t.test('a file that was changed just before it was read is not remembered', async (t) => {
  const root = await makeTree(t, { young: 'x' })
  const read: string[] = []
  const options = { cacheFile: join(dirname(root), 'cache'), afterRead: (path: string) => void read.push(path) }
  await scan(root, { ...options, runtime: systemRuntime })
  await scan(root, { ...options, runtime: systemRuntime })
  t.same(read, ['young', 'young'])
})

t.test('a cache that is broken or lies about its form costs only time', async (t) => {
  const root = await makeTree(t, { a: 'aaa' })
  const cacheFile = join(dirname(root), 'cache')
  const good = hashBlob(Buffer.from('aaa'))
  const rows = (row: unknown) => JSON.stringify([1, [row]])
  for (const content of [
    '',
    'garbage',
    '[]',
    '[1]',
    '{}',
    'null',
    rows(null),
    rows([]),
    rows([1, 2, 3, 4, 5, 6]),
    rows([join(root, 'a'), 3, 'x', '0', '0', good]),
    rows([join(root, 'a'), 3, '0', '0', '0', '../x']),
  ]) {
    await writeFile(cacheFile, content)
    t.equal((await scan(root, { cacheFile })).files[0]?.hash, good, content)
  }
  await writeFile(cacheFile, (await readFile(cacheFile, 'utf8')).replace(good, hashBlob(Buffer.from('other'))))
  await scan(root, { cacheFile })
  t.equal((await scan(root, { cacheFile, distrustCache: true })).files[0]?.hash, good)
  t.equal((await scan(root, { cacheFile })).files[0]?.hash, good, 'distrust corrects the cache')
})

t.test('progress only grows and ends whole', async (t) => {
  const root = await makeTree(t, { a: 'x'.repeat(5_000_000), b: 'y', c: '' })
  const seen: { filesDone: number; bytesDone: number; files: number; bytes: number }[] = []
  await scan(root, { onProgress: (progress) => seen.push(progress) })
  t.same(seen.at(-1), { files: 3, filesDone: 3, bytes: 5_000_001, bytesDone: 5_000_001 })
  for (const [i, progress] of seen.entries()) t.ok(i === 0 || progress.bytesDone >= (seen[i - 1]?.bytesDone ?? 0))
})
