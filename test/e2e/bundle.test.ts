import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { archOf, isElf } from '../../cli/bundle/elf.ts'
import { findBundle, makeBundle } from '../../cli/bundle/index.ts'
import { findSources } from '../../cli/bundle/sources.ts'
import { readTar } from '../../cli/bundle/tar.ts'
import { systemRuntime } from '../../cli/system.ts'
import { Scene } from './support/scene.ts'

/** Bundles are made, equal each time, refused when they are none, and run where nothing is installed. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const signal = new AbortController().signal
/** The bundles of other test files. */
const env = { XDG_CACHE_HOME: join(tmpdir(), 'makiatto-test-cache') }
const find = (arch: 'x64' | 'arm64', binaryPath?: string) =>
  findBundle({ arch, env, runtime: systemRuntime, signal, ...(binaryPath === undefined ? {} : { binaryPath }) })
const x64 = await find('x64')

t.test('one is made once, and compared each time', async (t) => {
  t.match(x64, { arch: 'x64', file: /makiatto-[\d.]+-linux-x64\.tar\.gz$/, sha256: /^[0-9a-f]{64}$/ })
  t.equal(createHash('sha256').update(readFileSync(x64.file)).digest('hex'), x64.sha256)
  let said = ''
  const again = await findBundle({
    arch: 'x64',
    env,
    runtime: systemRuntime,
    signal,
    onProgress: (text) => (said += text),
  })
  t.strictSame(again, x64)
  t.equal(said, '', 'it was not made again')
})

t.test('the same bytes in another folder', async (t) => {
  const made = await makeBundle(await findSources(), 'x64', { folder: scene.path('other'), signal })
  t.equal(made.sha256, x64.sha256)
})

t.test('for arm64 everything native is for arm64', async (t) => {
  const arm64 = await find('arm64')
  const native = [...readTar(gunzipSync(readFileSync(arm64.file)))].filter(({ content }) => isElf(content))
  t.strictSame(
    native.filter(({ content }) => archOf(content) !== 'arm64').map(({ path }) => path),
    [],
  )
  const paths = native.map(({ path }) => path)
  for (const wanted of [
    /^bin\/node$/,
    /^bin\/wireguard-go$/,
    /libatomic/,
    /sharp-linux-arm64/,
    /libvips/,
    /classic-level/,
  ])
    t.ok(
      paths.some((path) => wanted.test(path)),
      String(wanted),
    )
})

t.test('what is no bundle for the server is refused in words', async (t) => {
  const cut = scene.path('cut.tar.gz')
  writeFileSync(cut, readFileSync(x64.file))
  truncateSync(cut, 1_000_000)
  const text = scene.path('text.tar.gz')
  writeFileSync(text, 'hello')
  const other = scene.path('other.tar.gz')
  writeFileSync(scene.path('hello'), 'hello')
  execFileSync('tar', ['-czf', other, '-C', scene.folder, 'hello'])
  for (const [path, arch, message] of [
    [cut, 'x64', /cut short/],
    [text, 'x64', /no tar\.gz/],
    [other, 'x64', /holds no Makiatto/],
    [x64.file, 'arm64', /is for x64, and the server is arm64/],
    [scene.path('nothing'), 'x64', /there is no bundle/],
  ] as const)
    await t.rejects(find(arch, path), { message, hint: /npm run bundle/ })
  t.strictSame(await find('x64', x64.file), x64)
})

const folder = scene.path('unpacked')
mkdirSync(folder)
execFileSync('tar', ['-xzf', x64.file, '-C', folder])

t.test('all that the daemon can load is there', async (t) => {
  const mains = globSync('dist/{edge,cli/node}/**/*-main.js', { cwd: folder })
  const seen = new Set<string>()
  const queue = ['dist/cli/makiatto.js', ...mains]
  const missing: string[] = []
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    const code = readFileSync(join(folder, file), 'utf8')
    for (const [, name = ''] of code.matchAll(
      /(?:^import |^(?:import|export)\b[^'"\n]*? from |^\} from |\bimport\()'([^']+)'/gm,
    )) {
      if (name.startsWith('node:')) continue
      const path = name.startsWith('.') ? join(file, '..', name) : join('node_modules', packageOf(name))
      if (!existsSync(join(folder, path))) missing.push(`${file}: ${name}`)
      else if (name.startsWith('.')) queue.push(path)
    }
  }
  t.ok(mains.length >= 4 && seen.size > 300, `${seen.size} files`)
  t.strictSame(missing, [])
})

const packageOf = (name: string): string => name.split('/', name.startsWith('@') ? 2 : 1).join('/')

t.test('wireguard-go runs where glibc is 2.34 or newer', async (t) => {
  t.match(execFileSync(join(folder, 'bin', 'wireguard-go'), ['--version'], { encoding: 'utf8' }), /wireguard-go/)
})

t.test('it runs on a Debian 11 without anything else', async (t) => {
  const root = makeRoot('bullseye')
  const inside = (script: string): string =>
    execFileSync(
      'unshare',
      [
        '--mount',
        '--net',
        '--pid',
        '--fork',
        '--kill-child',
        'sh',
        '-ec',
        `mount --bind ${folder} ${root}/mnt; mount -t proc proc ${root}/proc; exec chroot ${root} sh -ec '${script}'`,
      ],
      { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
    )
  t.throws(() => inside('ls /usr/lib/*/libatomic.so.1'), 'it lacks the library')
  t.match(inside('/mnt/bin/makiatto --version'), /^makiatto \d/)
  t.match(
    inside('env -i /mnt/bin/node -p process.version'),
    /^v26\./,
    'without any environment, as confined processes are',
  )
  t.match(
    inside('cd /mnt && bin/node -e "require(\\"sharp\\"); require(\\"classic-level\\"); console.log(\\"loaded\\")"'),
    /loaded/,
  )
})

/** A root filesystem of a release of Debian with what is essential; made once on a machine. */
function makeRoot(suite: string): string {
  const root = join(tmpdir(), `makiatto-test-root-${suite}-minbase`)
  const sources = existsSync('/etc/apt/sources.list.d/debian.sources')
    ? '/etc/apt/sources.list.d/debian.sources'
    : '/etc/apt/sources.list'
  const mirror = /(?:URIs: |^deb (?:\[[^\]]*\] )?)(\S+)/m.exec(readFileSync(sources, 'utf8'))?.[1] ?? ''
  execFileSync(
    'flock',
    [
      `${root}.lock`,
      'sh',
      '-ec',
      `[ -d "$1" ] || { rm -rf "$1.new"; mmdebstrap --quiet --variant=minbase "$2" "$1.new" "$3"; chmod 755 "$1.new"; mv -T "$1.new" "$1"; }`,
      'sh',
      root,
      suite,
      mirror,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  return root
}
