import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { loadProject } from '../../../cli/config/index.ts'
import { runSync, type SyncEvent, type SyncInput, type SyncOptions } from '../../../cli/project/index.ts'
import { findDomain, type Hostname, type MakiError, type MemberKey, type OperationId } from '../../../core/index.ts'
import type { NodeStatus } from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { FakeTarget } from './fake-target.ts'
import { hastyRuntime } from './test-runtime.ts'

const FILE = '[[domain]]\nname = "a.org"\npath = "dist"\naliases = ["www.a.org"]\n'

async function makeProject(t: Test, files: Record<string, string>, text = FILE): Promise<string> {
  const folder = t.testdir({ 'makiatto.toml': text, dist: {} })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'dist', path)), { recursive: true })
    await writeFile(join(folder, 'dist', path), content)
  }
  return folder
}

interface Run {
  readonly options?: SyncOptions
  readonly hooks?: SyncInput['hooks']
  readonly signal?: AbortSignal
}

async function sync(folder: string, target: FakeTarget, { options, hooks, signal }: Run = {}) {
  const events: SyncEvent[] = []
  const result = await runSync({
    project: await loadProject(join(folder, 'makiatto.toml')),
    target,
    runtime: hastyRuntime,
    cacheFile: join(folder, 'cache'),
    options: { waitFor: 'none', ...options },
    report: (event) => events.push(event),
    ...(hooks === undefined ? {} : { hooks }),
    signal,
  })
  return { ...result, events }
}

const node = (name: string, active: OperationId | undefined, up = true): NodeStatus => ({
  key: name as MemberKey,
  name,
  up,
  digest: null,
  heads: [],
  lagMs: 0,
  version: null,
  merged: {},
  unservable: [],
  damagedBlobs: 0,
  active: active === undefined ? {} : { 'a.org': active },
})

for (const seed of seeds(6)) {
  t.test(
    `the cluster has what the folder has, whatever changes, and unchanged writes nothing (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const files: Record<string, string> = { 'index.html': 'start' }
      const folder = await makeProject(t, files)
      const target = new FakeTarget()
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < random.integer(6); i++) {
          const path = random.pick(['a.txt', 'b/c.txt', 'b/d e.txt', 'é.txt'])
          if (files[path] !== undefined && random.chance(0.4)) {
            delete files[path]
            await rm(join(folder, 'dist', path))
            continue
          }
          files[path] = random.pick(['', 'x', 'y'.repeat(10), 'z'.repeat(2_500_000), String(random.next())])
          await mkdir(dirname(join(folder, 'dist', path)), { recursive: true })
          await writeFile(join(folder, 'dist', path), files[path])
        }
        await sync(folder, target)
        t.same(target.readSite('a.org'), files)
        const { length } = target.operations
        const { packs } = target
        const again = await sync(folder, target)
        t.same(again.published, [])
        t.equal(target.operations.length, length, 'no operation')
        t.equal(target.packs, packs, 'no pack')
      }
    },
  )
}

t.test('one operation a domain, with what it tells on the way', async (t) => {
  const folder = await makeProject(
    t,
    { 'index.html': 'hello', _redirects: '/index.html /never\n' },
    `project = "blog"\n${FILE}[[domain]]\nname = "b.org"\npath = "dist"\n[[domain]]\nname = "c.org"\nredirect = "https://a.org"\n`,
  )
  const target = new FakeTarget()
  const { published, uploaded, events } = await sync(folder, target)
  t.same(
    published.map(({ domain, isRelease }) => [domain, isRelease]),
    [
      ['a.org', true],
      ['b.org', true],
      ['c.org', false],
    ],
  )
  t.equal(uploaded.blobs, 3, 'two files and a manifest, though two domains have them')
  t.equal(target.packs, 1)
  t.same([...new Set(events.map(({ event }) => event))], ['hashing', 'warned', 'planned', 'uploading', 'published'])
  t.same(
    target.operations.slice(1).map(({ message }) => message),
    ['sync blog', 'sync blog', 'sync blog'],
  )
})

t.test('rules are checked before anything is sent', async (t) => {
  const folder = await makeProject(t, {
    'index.html': 'hello',
    _redirects: '/ok /there\n/api/* https://api.net/:splat 200\nhttps://other.org/* /x\n/www /x 999\n',
    _headers: '/*\n  Content-Length: 4\n  Basic-Auth: me:secret\n',
  })
  for (const options of [{}, { dryRun: true }]) {
    const target = new FakeTarget()
    const refused = await sync(folder, target, { options }).then(
      () => '',
      (error: MakiError) => `${error.code} ${error.message}`,
    )
    for (const line of [
      'MAKI_CONFIG the rules of a.org cannot be published',
      'dist/_redirects:2: /api/* https://api.net/:splat 200: this is no proxy',
      'dist/_redirects:3: https://other.org/* /x: other.org is no host of this domain. Add it to the aliases',
      'dist/_redirects:4: /www /x 999: 999 is no status that rules can have. Use 301,',
      'dist/_headers:2: Content-Length: 4: content-length is set by the node itself',
      'dist/_headers:3:',
      'Type maki password',
    ])
      t.match(refused, line)
    t.notMatch(refused, ':1:', 'what is well is not listed')
    t.notMatch(refused, 'secret', 'a password is not repeated')
    t.equal(target.packs, 0, 'nothing was sent')
  }
})

t.test('rules that never count are told, and travel as files', async (t) => {
  const rules = '/index.html /x\n/a/* /b\n/a/c /d\nhttps://www.a.org/* https://a.org/:splat 301!\n/z /none.html 200\n'
  const folder = await makeProject(t, { 'index.html': 'hello', _redirects: rules })
  const target = new FakeTarget()
  const { events } = await sync(folder, target)
  t.same(
    events.flatMap((event) => (event.event === 'warned' ? [event.message] : [])),
    [
      'dist/_redirects:1: /index.html /x: it never counts: the site has a file there. Write 301! to let the rule win, or remove one.',
      'dist/_redirects:3: /a/c /d: it never counts: line 2 takes all that it is about. Move it above line 2, or remove it.',
      'dist/_redirects:5: /z /none.html 200: the site has no "/none.html". Write the path of a file of the site.',
    ],
  )
  t.same(target.readSite('a.org'), { 'index.html': 'hello', _redirects: rules })
})

t.test('a dry run tells the same plan and writes nothing', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const target = new FakeTarget()
  const dry = await sync(folder, target, { options: { dryRun: true } })
  t.equal(target.operations.length, 1)
  t.equal(target.blobs.size, 0)
  t.same(dry.published, [])
  t.same((await sync(folder, target)).plan, dry.plan)
})

t.test('faults are told together, and nothing is written or sent', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const target = new FakeTarget()
  target.commit([
    { kind: 'domain.set', domain: 'b.org' as Hostname, spa: false, onConcurrent: 'latest', previews: true },
    { kind: 'alias.set', domain: 'b.org' as Hostname, host: 'www.a.org' as Hostname },
    { kind: 'domain.set', domain: 'a.org' as Hostname, spa: true, onConcurrent: 'latest', previews: true },
  ])
  await t.rejects(sync(folder, target), {
    code: 'MAKI_CONFLICT',
    message:
      /^the sync is not possible:\n {2}settings of a\.org was written by owner.*\n {2}www\.a\.org belongs to b\.org/,
    hint: /--take-over\n.*out of the aliases of b\.org .*maki sync/,
  })
  t.equal(target.operations.length, 2)
  t.equal(target.blobs.size, 0)
})

t.test('only what is missing is sent', async (t) => {
  const folder = await makeProject(t, { a: 'a', b: 'b', c: 'x'.repeat(3_000_000) })
  const target = new FakeTarget()
  await sync(folder, target)
  await writeFile(join(folder, 'dist', 'b'), 'other')
  const { uploaded } = await sync(folder, target)
  t.equal(uploaded.blobs, 2)
  t.equal(uploaded.blobsDone, 2)
  t.equal(uploaded.bytesDone, uploaded.bytes)
})

t.test('a file that changes after it was hashed is noticed before its release is published', async (t) => {
  for (const size of [3, 2_500_000]) {
    const folder = await makeProject(t, { a: 'x'.repeat(size), b: 'b' })
    const target = new FakeTarget()
    let changes = 2
    const { events } = await sync(folder, target, {
      hooks: {
        beforeRead(path) {
          if (path === 'a' && changes-- > 0) writeFileSync(join(folder, 'dist', 'a'), String(changes).repeat(size))
        },
      },
    })
    t.equal(events.filter(({ event }) => event === 'restarted').length, 2)
    t.same(target.readSite('a.org'), { a: '0'.repeat(size), b: 'b' })
  }
})

t.test('a file that never rests is given up on by its name, and nothing is published', async (t) => {
  for (const size of [1, 2_500_000]) {
    const folder = await makeProject(t, { a: 'x'.repeat(size) })
    const target = new FakeTarget()
    let round = 0
    const hooks = { beforeRead: () => writeFileSync(join(folder, 'dist', 'a'), String(++round).repeat(size)) }
    const message = '"a" changed while it was published'
    await t.rejects(sync(folder, target, { hooks }), { code: 'MAKI_CONFLICT', message })
    t.equal(target.operations.length, 1)
  }
})

t.test('a hash that is remembered wrongly does not get in the way', async (t) => {
  const folder = await makeProject(t, { a: 'right' })
  await sync(folder, new FakeTarget())
  const cache = await readFile(join(folder, 'cache'), 'utf8')
  await writeFile(join(folder, 'cache'), cache.replace(/[0-9a-f]{64}/, 'f'.repeat(64)))
  const target = new FakeTarget()
  await sync(folder, target)
  t.same(target.readSite('a.org'), { a: 'right' })
})

t.test('the commit is recorded, and an older checkout does not go back behind it', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'one' })
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  git('init', '-q')
  git('commit', '-q', '--allow-empty', '-m', 'one')
  const one = git('rev-parse', 'HEAD')
  git('commit', '-q', '--allow-empty', '-m', 'two')
  const two = git('rev-parse', 'HEAD')
  const target = new FakeTarget()
  await sync(folder, target)
  t.equal(findDomain(target.state, 'a.org' as Hostname)?.release?.commit, two)
  git('checkout', '-q', one)
  t.same((await sync(folder, target)).published, [], 'the same files are no way back')
  await writeFile(join(folder, 'dist', 'index.html'), 'zero')
  await t.rejects(sync(folder, target), { code: 'MAKI_CONFLICT', hint: /--force/ })
  await sync(folder, target, { options: { force: true } })
  t.equal(findDomain(target.state, 'a.org' as Hostname)?.release?.commit, one)
})

t.test('waiting: none, one, up and all', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const cases = [
    ['one', 1],
    ['up', 2],
    ['all', 3],
  ] as const
  for (const [waitFor, needed] of cases) {
    const target = new FakeTarget()
    target.statuses = [
      () => [node('n1', undefined), node('n2', undefined), node('n3', undefined, false)],
      (release) => [node('n1', release('a.org')), node('n2', undefined), node('n3', undefined, false)],
      (release) => [node('n1', release('a.org')), node('n2', release('a.org')), node('n3', undefined, false)],
      (release) => [node('n1', release('a.org')), node('n2', release('a.org')), node('n3', release('a.org'))],
    ]
    // Time stands still: what ends the wait is what the nodes say.
    const { events } = await syncAt({ ...hastyRuntime, after: () => () => {} }, folder, target, { waitFor })
    const switched = events.flatMap((event) => (event.event === 'switched' ? [event.node] : []))
    t.same(switched, ['n1', 'n2', 'n3'].slice(0, needed), waitFor)
  }
})

t.test('a newer release than ours is as good; an older one is not', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const target = new FakeTarget()
  const older = target.operations[0]?.id as OperationId
  const newer = 'a'.repeat(52) as OperationId
  Object.assign(target, { isNewer: (active: OperationId) => active === newer })
  target.statuses = [() => [node('n1', older)], () => [node('n1', newer)]]
  const { events } = await syncAt({ ...hastyRuntime, after: () => () => {} }, folder, target, { waitFor: 'all' })
  t.equal(events.filter(({ event }) => event === 'switched').length, 1)
})

t.test('a wait that takes too long names who is missing; what was published stays', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const target = new FakeTarget()
  const timers: (() => void)[] = []
  target.statuses = [
    (release) => {
      // The clock runs out while the nodes are listened to.
      setImmediate(() => timers.forEach((call) => void call()))
      return [node('n1', release('a.org')), node('n2', undefined), node('n3', undefined, false)]
    },
  ]
  const runtime = {
    ...hastyRuntime,
    after(_ms: number, call: () => void) {
      timers.push(call)
      return () => {}
    },
  }
  await t.rejects(syncAt(runtime, folder, target, { waitFor: 'up', waitTimeoutMs: 30_000 }), {
    code: 'MAKI_TIMEOUT',
    message: 'published, but not served everywhere after 30 s; missing: a.org on n2',
  })
  t.same(target.readSite('a.org'), { 'index.html': 'hello' })
})

t.test('an interrupted wait ends with the reason of the interruption', async (t) => {
  const folder = await makeProject(t, { 'index.html': 'hello' })
  const target = new FakeTarget()
  const interrupt = new AbortController()
  target.statuses = [
    () => {
      setImmediate(() => interrupt.abort(new Error('interrupted')))
      return [node('n1', undefined)]
    },
  ]
  const runtime = { ...hastyRuntime, after: () => () => {} }
  await t.rejects(syncAt(runtime, folder, target, { waitFor: 'up' }, interrupt.signal), { message: 'interrupted' })
})

async function syncAt(
  runtime: SyncInput['runtime'],
  folder: string,
  target: FakeTarget,
  options: SyncOptions,
  signal?: AbortSignal,
) {
  const events: SyncEvent[] = []
  const project = await loadProject(join(folder, 'makiatto.toml'))
  await runSync({ project, target, runtime, options, signal, report: (event) => events.push(event) })
  return { events }
}
