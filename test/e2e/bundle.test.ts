import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { readTar } from '../../cli/archive/index.ts'
import { archOf, isElf } from '../../cli/bundle/elf.ts'
import { findBundle } from '../../cli/bundle/index.ts'
import { NODE_FLAGS } from '../../cli/node/node-flags.ts'
import { systemRuntime } from '../../cli/system.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { Visitor } from './support/http.ts'
import { MAKI, ROOT, Scene } from './support/scene.ts'

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
// Made beside what is tried meanwhile: half of it waits for the disk.
const makingArm64 = find('arm64')
makingArm64.catch(() => {})

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

t.test('an installed package makes the same bytes, and takes no others than it was published with', async (t) => {
  const program = await installPackage()
  const known = join(program, 'dist', 'bundles.json')
  const { findBundle: findPublished } = (await import(join(program, 'dist/cli/bundle/index.js'))) as {
    findBundle: typeof findBundle
  }
  const cache = { XDG_CACHE_HOME: scene.path('cache') }
  const again = () => findPublished({ arch: 'x64', env: cache, runtime: systemRuntime, signal })
  writeFileSync(known, JSON.stringify({ x64: x64.sha256 }))
  t.match(await again(), { sha256: x64.sha256, sizeBytes: x64.sizeBytes })
  t.strictSame(readdirSync(scene.path('cache', 'makiatto', 'bundles')).length, 1, 'and leaves nothing beside it')
  writeFileSync(known, JSON.stringify({ x64: '0'.repeat(64) }))
  await t.rejects(again(), { code: 'MAKI_BLOB_MISMATCH', message: /published with 0000/, hint: /--binary-path/ })
  rmSync(known)
  await t.rejects(again(), { code: 'MAKI_BLOB_MISMATCH', message: /without saying what its bundle/ })
})

/** As npm packs and installs it, in a folder of its own; its dependencies are those of the checkout. */
async function installPackage(): Promise<string> {
  const source = scene.path('source')
  mkdirSync(source)
  for (const name of ['package.json', 'LICENSE', 'README.md', 'cli/bin'])
    cpSync(join(ROOT, name), join(source, name), { recursive: true })
  for (const [command, ...args] of [
    [process.execPath, join(ROOT, 'cli', 'bin', 'build.mjs'), join(source, 'dist')],
    ['npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', source, source],
    ['mkdir', scene.path('node_modules')],
    ['sh', '-c', `tar -xzf ${source}/*.tgz && mv package node_modules/makiatto`],
    ['sh', '-c', `ln -s ${ROOT}/node_modules/* node_modules/`],
  ] as [string, ...string[]][]) {
    const { code, stderr } = await scene.run(command, args)
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  }
  return scene.path('node_modules', 'makiatto')
}

t.test('for arm64 everything native is for arm64', async (t) => {
  const arm64 = await makingArm64
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
  const packages = new Set<string>()
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    const code = readFileSync(join(folder, file), 'utf8')
    for (const [, name = ''] of code.matchAll(
      /(?:^import |^(?:import|export)\b[^'"\n]*? from |^\} from |\bimport\()'([^']+)'/gm,
    )) {
      if (name.startsWith('node:')) continue
      if (!name.startsWith('.')) packages.add(name)
      else if (existsSync(join(folder, file, '..', name))) queue.push(join(file, '..', name))
      else missing.push(`${file}: ${name}`)
    }
  }
  t.ok(mains.length >= 4 && seen.size > 300, `${seen.size} files`)
  t.strictSame(missing, [])
  // Each with all that it imports itself.
  const names = [...packages].sort()
  const load = `for (const name of ${JSON.stringify(names)}) await import(name).catch((error) => console.log(name, error))
    process.exit()`
  const node = join(folder, 'bin', 'node')
  const loaded = await scene.run(node, ['--input-type=module', '-e', load], { cwd: folder })
  t.strictSame([loaded.stdout, loaded.code], ['', 0], names.join(' '))
})

t.test('wireguard-go runs where glibc is 2.34 or newer', async (t) => {
  t.match(execFileSync(join(folder, 'bin', 'wireguard-go'), ['--version'], { encoding: 'utf8' }), /wireguard-go/)
})

// The oldest alone as a rule: each other takes half a minute to make the first time.
const suites = (process.env.DEBIANS ?? 'bullseye').split(' ')
for (const suite of suites) {
  t.test(`a node of it works on Debian ${suite} with nothing installed`, async (t) => {
    const inside = makeInside(makeRoot(suite))
    const run = (script: string) => scene.run('sh', ['-c', `${inside} sh -ec '${script}'`])
    t.match(await run('ls /usr/lib/*/libatomic.so.1'), { code: 2 }, 'it lacks the library')
    t.match(await run('/opt/bundle/bin/makiatto --version'), { code: 0, stdout: /^makiatto \d/ })
    const clean = await run('env -i /opt/bundle/bin/node -p process.version')
    t.match(clean, { code: 0, stdout: /^v26\./ }, 'without any environment, as confined processes are')
    await tryNode(t, suite, inside)
  })
}

/**
 * The start of a shell's line for commands in a root filesystem that stays as it is: the bundle lies in /opt/bundle, the scene's
 * folder where it always does.
 */
function makeInside(root: string): string {
  const at = scene.path('root')
  mkdirSync(at, { recursive: true })
  const script = `
    mount -t tmpfs tmpfs ${at}
    mkdir ${at}/upper ${at}/work ${at}/root
    mount -t overlay overlay -o lowerdir=${root},upperdir=${at}/upper,workdir=${at}/work ${at}/root
    cd ${at}/root
    mkdir -p opt/bundle .${scene.folder}
    mount --bind ${folder} opt/bundle
    mount --bind ${scene.folder} .${scene.folder}
    mount -t proc proc proc
    mount --bind /dev dev
    exec chroot . "$@"`
  const file = scene.path('inside.sh')
  writeFileSync(file, `set -e${script}\n`)
  return `exec unshare --mount --pid --fork --kill-child sh ${file}`
}

/** Starts, answers, makes an image smaller and runs a component: all processes that a node has. */
async function tryNode(t: Test, suite: string, inside: string): Promise<void> {
  await using cluster = await DaemonCluster.make(scene, { nodes: 1, name: suite })
  const [node] = cluster.daemons as [Daemon]
  // Its program in place of the checkout's: what comes first is Node, its flags and the main file.
  const own = 1 + NODE_FLAGS.length + 1
  node.wrapper = ['sh', '-c', `shift ${own}; ${inside} /opt/bundle/bin/makiatto "$@"`, 'sh']
  await node.start()
  t.match(await node.client.status(), { nodes: [{ name: node.name }] })

  const project = scene.path(`${suite}-project`)
  mkdirSync(join(project, 'site', 'api'), { recursive: true })
  const domain = '[[domain]]\nname = "old.test"\npath = "site"\n'
  writeFileSync(join(project, 'makiatto.toml'), `${domain}[[domain.functions]]\npath = "api/echo.wasm"\n`)
  const image = sharp({ create: { width: 400, height: 200, channels: 3, background: '#369' } })
  writeFileSync(join(project, 'site', 'sky.png'), await image.png().toBuffer())
  writeFileSync(join(project, 'site', 'api', 'echo.wasm'), await buildWatGuest('http-echo'))
  const sync = await scene.run(MAKI, ['--profile', cluster.profile, 'sync'], { cwd: project })
  t.match(sync, { code: 0 }, sync.stderr)

  using visitor = new Visitor({ connections: 2 })
  const get = (path: string) =>
    eventually(`${path} from ${suite}`, async () => {
      const answer = await visitor.get(node.http, 'old.test', path)
      if (answer.status === 200) return answer
      throw new Error(`${answer.status} ${answer.body}\n${node.describe()}`)
    })
  const small = await get('/sky.png?w=100')
  t.match(await sharp(small.body).metadata(), { width: 100, height: 50 })
  t.match(await node.event('images.decoder-started'), { confinement: 'kernel' })
  t.match(await get('/api/echo'), { status: 200 })
}

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
