import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { futimesSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Dev, devArguments, parseJson } from './support/dev.ts'
import { encodePath, Visitor } from './support/http.ts'
import { MISTAKES, type Mistake, SOUND } from './support/mistakes.ts'
import { writeProject } from './support/project.ts'
import { MAKI, type Outcome, type RunOptions, Scene } from './support/scene.ts'

/** What a stranger does wrong, through the program as it is typed: each mistake is named, and nothing is published. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
/** One for each core of the smallest machine that this runs on. */
const AT_ONCE = 2
const LARGE_BYTES = 64 * 1024 * 1024

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const base = writeProject(scene.path('base'), { domain: 'base.test', files: { 'index.html': 'base' } })
const dev = await Dev.start(scene, base)
t.teardown(() => dev[Symbol.asyncDispose]())
/** A second set of ports, for clusters that must not come up. */
const other = await Scene.open()
t.teardown(() => other[Symbol.asyncDispose]())

const listOperations = async (): Promise<string[]> =>
  parseJson<{ id: string }[]>(await dev.maki(['history', '--limit', '1000', '--json'])).map(({ id }) => id)

/** As root everything may be read; without these two rights root is a user like any other. */
const asUser: readonly string[] =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--', MAKI] : [MAKI]

function runAsUser(args: readonly string[], options: RunOptions): Promise<Outcome> {
  const [command = MAKI, ...first] = asUser
  return scene.run(command, [...first, ...args], options)
}

async function makeMistake({ toml = SOUND, spoil, args = ['sync'], env }: Mistake, folder: string): Promise<Outcome> {
  writeProject(folder, { domain: 'files.test', files: { 'index.html': 'hello' } })
  writeFileSync(join(folder, 'makiatto.toml'), toml)
  spoil?.(folder)
  return runAsUser(args, { cwd: folder, env: { MAKIATTO_PROFILE: dev.profile, ...env } })
}

t.test('mistakes are named, and change nothing', async (t) => {
  const before = await listOperations()
  const queue = [...MISTAKES.entries()]
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [i, mistake] = next
      const { code, stdout, stderr } = await makeMistake(mistake, scene.path(`mistake-${i}`))
      const missing = mistake.says.filter((part) =>
        typeof part === 'string' ? !stderr.includes(part) : !part.test(stderr),
      )
      const details = { missing, stderr }
      t.strictSame(
        { code, stdout, missing: missing.length },
        { code: mistake.code, stdout: '', missing: 0 },
        mistake.name,
        details,
      )
      t.match(stderr, /^Error: .+[\s\S]*\nTry: .+/, `${mistake.name}: what is wrong, and what to type next`)
      t.notMatch(stderr, /fault of maki itself|\n {4}at /, `${mistake.name}: no stack, no fault of ours`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  t.strictSame(await listOperations(), before, 'no operation was made')
})

t.test('with --json an error is one line of JSON on stderr', async (t) => {
  const { code, stdout, stderr } = await dev.maki(['record', 'set', 'base.test', 'www', 'A', 'x', '--json'])
  t.strictSame({ code, stdout }, { code: 2, stdout: '' })
  t.match(JSON.parse(stderr), { code: 'MAKI_INVALID', message: /"x" is not the value of an A record/, hint: /192/ })
})

t.test('an unknown key only warns without --strict', async (t) => {
  const folder = writeProject(scene.path('warned'), { domain: 'files.test', files: { 'index.html': 'x' } })
  writeFileSync(join(folder, 'makiatto.toml'), `${SOUND}spaa = true\n`)
  const warned = await dev.maki(['sync', '--dry-run'], { cwd: folder })
  t.match(warned, {
    code: 0,
    stderr: /Warning: \.\/makiatto\.toml:4:1: domain\[0\]\.spaa: unknown key; did you mean "spa"\?/,
  })
})

t.test('file names that are unusual are published and found', async (t) => {
  const names = [
    'with space.html',
    'quo"te\'s.txt',
    'new\nline.txt',
    'tab\tbed.txt',
    'ümläut.html',
    'e\u0301 decomposed.txt',
    '日本/語 😀.html',
    '100%.txt',
    '%41.txt',
    'what?#not.txt',
    'a;b=c&d,e+f.css',
    '<script>.html',
    '$(touch x) `y` $HOME.txt',
    '--flag.txt',
    '.well-known/security.txt',
    'constructor',
    '__proto__/toString.json',
    `${'long '.repeat(40)}.txt`,
  ]
  const files = Object.fromEntries(names.map((name) => [name, `content of ${name}`]))
  // An object literal's __proto__ is no name of its own; this one is.
  Object.defineProperty(files, '__proto__/toString.json', { value: '{}', enumerable: true })
  const folder = writeProject(scene.path('names'), { domain: 'names.test', files })
  const synced = await dev.maki(['sync', '--wait', 'all'], { cwd: folder })
  t.equal(synced.code, 0, synced.stderr)
  using visitor = new Visitor()
  for (const { name: node, http } of dev.nodes) {
    for (const name of names) {
      const { status, body } = await visitor.get(http, 'names.test', encodePath(name))
      t.strictSame(
        { status, body: body.toString() },
        { status: 200, body: files[name] },
        `${JSON.stringify(name)} at ${node}`,
      )
    }
  }
})

t.test('a file that changes all the time is not published in part', async (t) => {
  const folder = writeProject(scene.path('busy'), {
    domain: 'busy.test',
    files: { 'index.html': 'x', 'build.log': Buffer.alloc(LARGE_BYTES) },
  })
  let stopped = false
  const writing = (async () => {
    const file = openSync(join(folder, 'public', 'build.log'), 'r+')
    writeSync(file, 'change', 0)
    // Reading so much takes longer than a turn, so every reading meets a change; a kernel with much to bring to disk holds
    // up those who write contents, for longer than a reading takes.
    for (let i = 0; !stopped; i++) {
      futimesSync(file, i, i)
      await nextTurn()
    }
  })()
  const busy = await dev.maki(['sync'], { cwd: folder })
  stopped = true
  await writing
  t.match(busy, { code: 4, stdout: '', stderr: /"build\.log"[\s\S]*Try: Wait until the build is done/ })
  t.notMatch((await dev.maki(['domain', 'list'])).stdout, 'busy.test')
  t.equal((await dev.maki(['sync'], { cwd: folder })).code, 0, 'when it has come to rest, it is published')
})

t.test('a second maki at the same time waits for the first', async (t) => {
  const names = ['a', 'b', 'c', 'd']
  const outcomes = await Promise.all(
    names.map((name) => dev.maki(['record', 'set', 'base.test', name, 'A', '192.0.2.1'])),
  )
  for (const outcome of outcomes) t.equal(outcome.code, 0, outcome.stderr)
  const { stdout } = await dev.maki(['record', 'list', 'base.test'])
  for (const name of names) t.match(stdout, `\n${name}.base.test `)
})

t.test('ports in use: the holder is named, and no other is taken', async (t) => {
  const tcp = createServer().listen({ host: '127.0.0.1', port: other.httpPort + 1 })
  const udp = createSocket('udp4')
  udp.bind({ address: '127.0.0.1', port: other.dnsPort + 2 })
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
  const args = devArguments(other, base, other.path('data')).filter((arg) => arg !== '--json')
  const refused = await other.maki(args)
  tcp.close()
  udp.close()
  t.equal(refused.code, 4)
  const holder = `process ${process.pid} \\([^)]*bad-input\\.test\\.ts\\)`
  t.match(
    refused.stderr,
    new RegExp(
      `${holder} holds ${other.httpPort + 1} \\(HTTP of node2, TCP\\), ${other.dnsPort + 2} \\(DNS of node3, UDP\\)`,
    ),
  )
  t.match(refused.stderr, /Try: .*--http-port/)
  t.strictSame(await other.leftovers(), [], 'nothing was started')
})

t.test('maki dev twice on one folder: the second is told who is in it', async (t) => {
  const args = devArguments(other, base, scene.path('data')).filter((arg) => arg !== '--json')
  const refused = await other.maki(args)
  t.equal(refused.code, 4)
  t.match(
    refused.stderr,
    new RegExp(`is running already: maki dev is process ${dev.child.pid}\\nTry: End it with: kill ${dev.child.pid}`),
  )
  t.strictSame(await other.leftovers(), [])
  t.equal((await dev.maki(['status'])).code, 0, 'the first goes on')
})

t.test('the end', async (t) => {
  await dev.stop()
  rmSync(scene.path('busy'), { recursive: true })
  t.strictSame(await scene.leftovers(), [], 'nothing is left behind')
})
