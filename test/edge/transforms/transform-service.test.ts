import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, silentLog, type TransformValue } from '../../../core/index.ts'
import type { TransformOutcome, TransformService } from '../../../edge/transforms/index.ts'
import { TransformFolder } from '../../../edge/transforms/transform-folder.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { FakeRuntime } from '../fixtures.ts'
import { appends, type Behaviour, fails, MIB, Scene } from './fakes.ts'

/** What becomes of files, with made-up components. */

const PAGE = '<p>page'

function bytesOf(service: TransformService, outcome: TransformOutcome | undefined): string {
  if (outcome?.kind !== 'done') throw new Error(`it is ${outcome?.kind}`)
  return readFileSync(service.path(outcome.result.hash), 'utf8')
}

const listFiles = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()

t.test('equal files are transformed once, and found in memory and on the disk afterwards', async (t) => {
  const scene = new Scene(t, { 'index.html': PAGE })
  const service = await scene.service()
  const step = scene.runner.step(({ path, mimeType, content }) => ({
    content: Buffer.from(`${path} ${mimeType} ${Buffer.from(content)}`),
    headers: [['X-A', ' b ']],
  }))
  const job = scene.job('index.html', step)
  t.equal(service.find(job), undefined)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => service.transform(scene.job('index.html', step))))
  t.equal(scene.runner.runs.length, 1)
  for (const outcome of outcomes) t.equal(bytesOf(service, outcome), `/index.html text/html ${PAGE}`)
  t.match(service.find(job), { kind: 'done', result: { mimeType: undefined, headers: [['x-a', 'b']] } })
  const other = await scene.service()
  t.equal(other.find(job), undefined, 'not before it was looked for')
  t.strictSame(await other.transform(job), outcomes[0])
  t.equal(scene.runner.runs.length, 1)
  t.match(other.counters, { fromDisk: 1, steps: { changed: 0 } })
  t.match(service.counters, { steps: { changed: 1 }, bytes: 29 })
})

t.test('what makes a result another one', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE, 'b.html': PAGE })
  const service = await scene.service()
  const step = scene.runner.step(({ path }) => ({ content: Buffer.from(`${path} on ${scene.context.name}`) }))
  const job = scene.job('a.html', step)
  t.equal(bytesOf(service, await service.transform(job)), '/a.html on node1')
  t.equal(bytesOf(service, await service.transform(scene.job('b.html', step))), '/b.html on node1', 'the path')
  const { epoch } = service
  scene.context = { ...scene.context, name: 'node2' }
  t.equal(service.find(job), undefined, 'the node')
  t.ok(service.epoch > epoch)
  t.equal(bytesOf(service, await service.transform(job)), '/a.html on node2')
  scene.context = { ...scene.context, name: 'node1' }
  await service.transform(job)
  t.equal(scene.runner.runs.length, 3, 'what was made for it before is there still')
  const file = scene.manifest.find('a.html')!
  const keys = new Set(
    [
      scene.transforms([step]),
      scene.transforms([{ ...step, timeoutMs: 5 }]),
      scene.transforms([step, step]),
      scene.transforms([{ ...step, env: { A: { epoch: 'e' as never, box: 'b' } } }]),
      scene.transforms([step], { manifestHash: 'f'.repeat(64) as never }),
      scene.transforms([step], { domain: 'example.org' as never }),
    ].map((transforms) => transforms.find(file)?.key),
  )
  t.equal(keys.size, 6)
})

for (const seed of seeds(12)) {
  t.test(`steps follow each other, and one failure leaves the file as it is (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const scene = new Scene(t, { 'a.txt': 'x'.repeat(random.integer(4000)) })
    const service = await scene.service()
    for (let i = 0; i < 6; i++) {
      const original = scene.manifest.find('a.txt')!
      const expected = {
        text: 'x'.repeat(original.sizeBytes),
        type: undefined as string | undefined,
        headers: new Map<string, string>(),
        hasFailed: false,
      }
      let isChanged = false
      const steps = Array.from({ length: 1 + random.integer(5) }, (_, n): TransformValue => {
        const kind = random.pick(['append', 'append', 'none', 'fail', 'type', 'headers', 'nonsense'] as const)
        const maxFileSizeKb = 1 + random.integer(6)
        const behaviours: Record<typeof kind, Behaviour> = {
          append: appends(`${n}`.repeat(1000)),
          none: () => undefined,
          fail: () => fails(random.pick(['trap', 'timeout', 'memory', 'died', 'unfit'])),
          type: ({ mimeType }) => ({ mimeType: `text/n${n}`, headers: [['x-given', mimeType]] }),
          headers: () => ({
            headers: [
              ['X-N', `${n}`],
              [`x-${n}`, 'y'],
              ['ETag', '"mine"'],
              ['Makiatto-Node', 'me'],
            ],
          }),
          nonsense: () =>
            random.pick([
              { mimeType: 'no type' },
              { headers: [['a b', 'c'] as const] },
              { headers: [['a', 'b\r\nc: d']] },
            ]),
        }
        if (!expected.hasFailed && expected.text.length <= maxFileSizeKb * 1024) {
          if (kind === 'fail' || kind === 'nonsense') expected.hasFailed = true
          else if (kind !== 'none') {
            isChanged = true
            if (kind === 'append') expected.text += `${n}`.repeat(1000)
            if (kind === 'type') {
              expected.headers.set('x-given', expected.type?.split(';')[0] ?? 'text/plain')
              expected.type = `text/n${n}; charset=utf-8`
            }
            if (kind === 'headers') expected.headers.set('x-n', `${n}`).set(`x-${n}`, 'y')
          }
        }
        return scene.runner.step(behaviours[kind], { maxFileSizeKb })
      })
      const job = scene.findJob('a.txt', ...steps)
      const outcome = job === undefined ? ({ kind: 'original' } as const) : await service.transform(job)
      if (expected.hasFailed) t.strictSame(outcome, { kind: 'failed' })
      else if (!isChanged) t.strictSame(outcome, { kind: 'original' })
      else {
        t.equal(bytesOf(service, outcome), expected.text)
        if (outcome.kind !== 'done') throw new Error('it is done')
        t.equal(outcome.result.mimeType, expected.type)
        t.strictSame(new Map(outcome.result.headers), expected.headers)
      }
      if (job !== undefined) t.strictSame(service.find(job), outcome, 'and is known from then on')
    }
  })
}

t.test('a file that no step takes is not even read', async (t) => {
  const scene = new Scene(t, { 'big.html': 'x'.repeat(1025), 'large.html': Buffer.alloc(1024 * 1024 + 1), 'x.css': '' })
  const small = scene.runner.step(appends('!'), { files: '*.html', maxFileSizeKb: 1 })
  t.equal(scene.findJob('big.html', small), undefined)
  t.equal(scene.findJob('x.css', small), undefined)
  t.equal(scene.findJob('large.html', { ...small, maxFileSizeKb: 1025 })?.steps.length, 1)
  const { maxFileSizeKb: _, ...usual } = small
  t.equal(scene.findJob('large.html', usual), undefined, 'a MiB where nothing is said')
  t.strictSame(scene.job('big.html', small, usual).steps, [usual])
  t.equal(scene.transforms([{ ...usual, files: '[' }, usual]).faults, 1, 'a pattern that is none is applied to nothing')
  const costly = Array.from({ length: 100 }, () => ({ ...usual, files: `*.html${'*'.repeat(900)}` }))
  t.ok(scene.transforms(costly).faults > 50, 'nor are patterns that together are too much')
})

t.test('what fails is left alone for a while, for longer each time, and nothing of it is kept', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE, 'b.html': PAGE })
  const runtime = new FakeRuntime()
  const service = await scene.service({ runtime })
  let isBroken = true
  const step = scene.runner.step((file) => (isBroken ? fails('timeout') : appends('!')(file)))
  const job = scene.job('a.html', step)
  for (const waitS of [5, 10, 20, 40]) {
    const runs = scene.runner.runs.length
    t.strictSame(await service.transform(job), { kind: 'failed' })
    t.strictSame(await service.transform(job), { kind: 'failed' })
    t.equal(scene.runner.runs.length, runs + 1)
    runtime.advance(waitS * 1000 - 1)
    t.strictSame(service.find(job), { kind: 'failed' })
    runtime.advance(1)
    t.equal(service.find(job), undefined, `not after ${waitS} s`)
  }
  t.strictSame(scene.logged, Array(4).fill('transforms.failed'), 'one line for each try')
  t.strictSame(listFiles(scene.directory), [])
  isBroken = false
  t.equal(bytesOf(service, await service.transform(job)), `${PAGE}!`)
  t.match(service.counters.steps, { timeout: 4, changed: 1 })
})

t.test(
  'a component that fails at everything is left alone altogether, and that of another domain is not',
  async (t) => {
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.html`, PAGE]))
    const scene = new Scene(t, files)
    const runtime = new FakeRuntime()
    const service = await scene.service({ runtime })
    const step = scene.runner.step(() => fails('timeout'))
    for (const path of Object.keys(files)) t.match(await service.transform(scene.job(path, step)), { kind: 'failed' })
    t.equal(scene.runner.runs.length, 8)
    const elsewhere = scene.transforms([step], { domain: 'example.org' as never })
    await service.transform(elsewhere.find(scene.manifest.find('9.html')!)!)
    t.equal(scene.runner.runs.length, 9)
    runtime.advance(5000)
    await service.transform(scene.job('9.html', step))
    t.equal(scene.runner.runs.length, 10)
  },
)

t.test('no room is no failure of anybody: it is tried again at once, nearly', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE })
  const runtime = new FakeRuntime()
  const service = await scene.service({ runtime })
  const step = scene.runner.step(() => fails('busy'))
  for (let i = 0; i < 20; i++) {
    t.match(await service.transform(scene.job('a.html', step)), { kind: 'failed' })
    runtime.advance(1000)
  }
  t.equal(scene.runner.runs.length, 20)
})

t.test('a visitor waits for so long, and the next gets what came of it', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE })
  const runtime = new FakeRuntime()
  const service = await scene.service({ runtime, limits: { mostWaitMs: 2000 } })
  const { promise, resolve } = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const step = scene.runner.step(async ({ content }) => {
    begun.resolve()
    await promise
    return { kind: 'transformed', result: { content, mimeType: 'text/css', headers: [] }, cpuMs: 1 }
  })
  const job = scene.job('a.html', step)
  const waiting = service.transform(job)
  await begun.promise
  runtime.advance(2000)
  t.strictSame(await waiting, { kind: 'failed' })
  t.equal(service.find(job), undefined, 'it goes on')
  const next = service.transform(job)
  resolve()
  t.match(await next, { kind: 'done' })
  t.equal(scene.runner.runs.length, 1)
  t.equal(service.counters.waitedTooLong, 1)
})

t.test('domains take turns, and who asks for too much is turned away', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.html`, `${i}`]))
  const scene = new Scene(t, files)
  const limits = { most: 2, mostOfName: 1, mostWaitingOfName: 10, mostWaiting: 100 }
  const service = await scene.service({ limits })
  let inside = 0
  let most = 0
  const step = scene.runner.step(async ({ content }) => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setImmediate(resolve))
    inside--
    return { kind: 'transformed', result: { content, mimeType: 'text/x', headers: [] }, cpuMs: 1 }
  })
  const many = Object.keys(files).map((path) => service.transform(scene.job(path, step)))
  const few = scene.transforms([step], { domain: 'example.org' as never })
  t.match(await service.transform(few.find(scene.manifest.find('0.html')!)!), { kind: 'done' })
  const outcomes = await Promise.all(many)
  t.equal(outcomes.filter(({ kind }) => kind === 'failed').length, service.counters.turnedAway)
  t.ok(service.counters.turnedAway >= 25)
  t.ok(most <= 2)
  t.match(await service.transform(scene.job('39.html', step)), { kind: 'done' }, 'who was turned away may come again')
})

t.test('workers make a result once between them', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE, 'b.html': PAGE })
  const first = await scene.service()
  const step = scene.runner.step(appends('!'))
  const job = scene.job('a.html', step)
  // Another process has claimed it, and is at it.
  const other = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
  const claim = (path: string) => {
    const { key } = scene.job(path, step)
    const { name, latitude, longitude } = scene.context
    const file = createHash('sha256')
      .update(JSON.stringify([key, name, latitude, longitude]))
      .digest('hex')
    mkdirSync(join(scene.directory, 'claims'), { recursive: true })
    writeFileSync(join(scene.directory, 'claims', file), String(other.pid))
    return join(scene.directory, 'claims', file)
  }
  const held = claim('a.html')
  const waiting = first.transform(job)
  const folder = new TransformFolder(
    { directory: scene.directory, maxBytes: MIB, writers: 1 },
    { runtime: systemRuntime, log: silentLog },
  )
  const bytes = Buffer.from('made by another')
  const result = { hash: hashBlob(bytes), sizeBytes: bytes.length, mimeType: undefined, headers: [] }
  await folder.keep(basename(held), { kind: 'done', result }, bytes)
  rmSync(held)
  t.equal(bytesOf(first, await waiting), 'made by another')
  t.equal(scene.runner.runs.length, 0)
  claim('b.html')
  other.stdin.end()
  await once(other, 'exit')
  t.match(await first.transform(scene.job('b.html', step)), { kind: 'done' }, 'one that died over it holds nobody up')
  t.strictSame(readdirSync(join(scene.directory, 'claims')), [])
})

t.test('a result that is gone is made again, once; then the file is served as it is', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE })
  const runtime = new FakeRuntime()
  const service = await scene.service({ runtime })
  const job = scene.job('a.html', scene.runner.step(appends('!')))
  const outcome = await service.transform(job)
  if (outcome.kind !== 'done') throw new Error('it is done')
  const { hash } = outcome.result
  for (const expected of ['done', 'failed']) {
    const { epoch } = service
    rmSync(service.path(hash))
    service.lost(hash)
    service.lost(hash)
    t.equal(service.sizeOf(hash), undefined)
    t.ok(service.epoch > epoch)
    t.match(await service.transform(job), { kind: expected })
  }
  runtime.advance(5000)
  t.match(await service.transform(job), { kind: 'done' })
  runtime.advance(10 * 60_000)
  service.lost(hash)
  t.match(await service.transform(job), { kind: 'done' }, 'long after, it is swept and no fault of the disk')
})

t.test('results stay within their budget, least recently used first to go', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.txt`, `${i}`.padEnd(60_000)]))
  const scene = new Scene(t, files)
  const cacheBytes = MIB
  const service = await scene.service({ cacheBytes })
  const step = scene.runner.step(appends('!'))
  for (const path of Object.keys(files)) {
    t.match(await service.transform(scene.job(path, step)), { kind: 'done' })
    const total = listFiles(scene.directory).reduce((sum, file) => sum + statSync(file).size, 0)
    t.ok(total <= cacheBytes, `${total}`)
  }
  for (const file of listFiles(scene.directory)) utimesSync(file, 1, 1)
  const again = await scene.service({ cacheBytes })
  await again.transform(scene.job('29.txt', step))
  t.match(again.counters, { fromDisk: 1 })
  const little = await scene.service({ cacheBytes: MIB / 4 })
  const { result } = again.find(scene.job('29.txt', step)) as TransformOutcome & { kind: 'done' }
  t.ok(listFiles(scene.directory).includes(little.path(result.hash)), 'what was used stays')
  const tiny = await scene.service({ cacheBytes: 100_000 })
  t.match(await tiny.transform(scene.job('1.txt', step)), { kind: 'failed' }, 'half of the budget is the most for one')
  t.equal(tiny.counters.notKept, 1)
})

t.test('a blob that is damaged or gone is told of, and nothing is made of it', async (t) => {
  const scene = new Scene(t, { 'a.html': PAGE, 'b.html': 'b' })
  const failed: string[] = []
  const service = await scene.service({ ports: { onBlobFailed: (hash) => failed.push(hash) } })
  const step = scene.runner.step(appends('!'))
  const [a, b] = [scene.job('a.html', step), scene.job('b.html', step)]
  scene.blobs.bytes.set(a.file.hash, Buffer.from('<p>pagf'))
  scene.blobs.bytes.delete(b.file.hash)
  for (const job of [a, b]) t.match(await service.transform(job), { kind: 'failed' })
  t.strictSame(failed, [a.file.hash, b.file.hash])
  t.equal(scene.runner.runs.length, 0)
})
