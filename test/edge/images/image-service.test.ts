import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, silentLog } from '../../../core/index.ts'
import { ImageClaims } from '../../../edge/images/image-claims.ts'
import { ImageFolder } from '../../../edge/images/image-folder.ts'
import {
  buildJob,
  type ImageJob,
  type ImageOutcome,
  ImageService,
  type ImageServiceOptions,
  type ImageShape,
  imageDone,
} from '../../../edge/images/index.ts'
import { MissBudget } from '../../../edge/images/miss-budget.ts'
import { OutcomeMemory } from '../../../edge/images/outcome-memory.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { FakeRuntime, MemoryBlobs } from '../fixtures.ts'
import { makePhoto } from './image-files.ts'

/** What is made once, kept, shared, and refused. */

const MIB = 1024 * 1024
const SETTINGS = { maxWidth: 4096, maxHeight: 4096, formats: ['webp', 'jpg'], widths: [] } as const
const ASKER = { domain: 'example.com' as Hostname, client: '192.0.2.1' }
const photo = await makePhoto(200, 100)

class Scene {
  readonly blobs = new MemoryBlobs()
  readonly hash = this.blobs.add(photo)
  readonly directory: string
  #services: ImageService[] = []

  constructor(t: Test) {
    this.directory = join(t.testdir({}), 'images')
    t.teardown(() => Promise.all(this.#services.map((service) => service.close())))
  }

  async service(part: Partial<ImageServiceOptions> = {}): Promise<ImageService> {
    const { directory } = this
    const options = { settings: SETTINGS, directory, cacheBytes: 50 * MIB, memoryBytes: 5 * MIB, workers: 1, ...part }
    const service = new ImageService(options, { blobs: this.blobs, runtime: systemRuntime, log: silentLog })
    this.#services.push(service)
    await service.start()
    return service
  }

  job(width: number, format: ImageShape['format'] = 'webp', hash = this.hash): ImageJob {
    const sizeBytes = this.blobs.bytes.get(hash)?.length ?? 0
    const parameters = { width, height: undefined, fit: 'max', quality: 70 } as const
    return buildJob({ hash, sizeBytes }, parameters, format, SETTINGS)
  }
}

const bytesOf = (outcome: ImageOutcome): Buffer => {
  if (outcome.kind !== 'done') throw new Error(outcome.reason)
  return Buffer.from(outcome.bytes)
}

t.test('equal requests are made once, and found in memory and on the disk afterwards', async (t) => {
  const scene = new Scene(t)
  const service = await scene.service()
  const job = scene.job(50)
  t.equal(service.find(job), undefined)
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => service.render(scene.job(50), ASKER)))
  t.equal(service.counters.made, 1)
  t.ok(outcomes.every((outcome) => bytesOf(outcome).equals(bytesOf(outcomes[0]!))))
  t.ok(bytesOf(service.find(job)!).equals(bytesOf(outcomes[0]!)), 'at once')
  const second = await scene.service()
  t.ok(bytesOf(await second.render(job, ASKER)).equals(bytesOf(outcomes[0]!)))
  t.match(second.counters, { made: 0, fromDisk: 1 })
  t.strictSame(second.decoders, [], 'no decoder was started for it')
})

t.test('workers make equal images once between them', async (t) => {
  const scene = new Scene(t)
  const job = scene.job(60)
  const claims = new ImageClaims(`${scene.directory}/claims`, systemRuntime)
  const service = await scene.service()
  // Another process has claimed it, and is at it.
  const other = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
  await claims.claim(job.key)
  writeFileSync(join(scene.directory, 'claims', job.key), String(other.pid))
  const rendering = service.render(job, ASKER)
  const folder = new ImageFolder(
    { directory: scene.directory, maxBytes: 50 * MIB, writers: 1 },
    { runtime: systemRuntime, log: silentLog },
  )
  await folder.keep(job.key, Buffer.from('made by another'))
  await claims.release(job.key)
  t.equal(bytesOf(await rendering).toString(), 'made by another')
  t.equal(service.counters.made, 0)
  // A start leaves what a living worker is at.
  await claims.claim(job.key)
  writeFileSync(join(scene.directory, 'claims', job.key), String(other.pid))
  await scene.service()
  t.strictSame(readdirSync(join(scene.directory, 'claims')), [job.key])
  // One that died over it holds nobody up.
  const next = scene.job(61)
  await claims.claim(next.key)
  writeFileSync(join(scene.directory, 'claims', next.key), String(other.pid))
  other.stdin.end()
  await once(other, 'exit')
  t.match(await service.render(next, ASKER), { kind: 'done' })
  t.strictSame(readdirSync(join(scene.directory, 'claims')), [job.key], 'what nobody asked for again')
  await scene.service()
  t.strictSame(readdirSync(join(scene.directory, 'claims')), [], 'no claim is left')
})

t.test('images that are none, or broken, are refused once and remembered', async (t) => {
  const scene = new Scene(t)
  const service = await scene.service()
  const svg = scene.job(10, 'jpg', scene.blobs.add('<svg xmlns="http://www.w3.org/2000/svg"/>'))
  const torn = scene.job(10, 'jpg', scene.blobs.add(photo.subarray(0, photo.length / 2)))
  for (const job of [svg, torn]) {
    const outcome = await service.render(job, ASKER)
    t.match(outcome, { kind: 'refused', status: 422 })
    t.strictSame(service.find(job), outcome)
  }
  const missing = { ...scene.job(10), hash: 'f'.repeat(64) as ImageJob['hash'], key: 'f'.repeat(64) }
  t.match(await service.render(missing, ASKER), { kind: 'refused', status: 503, retryAfterS: 5 })
  t.equal(service.find(missing), undefined, 'it may come')
  const huge = { ...scene.job(10), sizeBytes: 65 * MIB, key: 'e'.repeat(64) }
  t.match(await service.render(huge, ASKER), { kind: 'refused', status: 422 })
})

t.test('a client and a domain may ask for so many images that are still to be made', async (t) => {
  const scene = new Scene(t)
  const limits = { perClient: { burst: 3, perSecond: 0.01 }, perDomain: { burst: 5, perSecond: 0.01 } }
  const service = await scene.service({ limits })
  const ask = (width: number, client: string) => service.render(scene.job(width), { ...ASKER, client })
  for (const width of [1, 2, 3]) t.match(await ask(width, '192.0.2.1'), { kind: 'done' })
  t.match(await ask(4, '192.0.2.77'), { kind: 'refused', status: 429, retryAfterS: Number }, 'its network')
  t.match(await ask(3, '192.0.2.77'), { kind: 'done' }, 'what is made costs nothing')
  t.match(await ask(5, '198.51.100.1'), { kind: 'done' })
  t.match(await ask(6, '2001:db8::1'), { kind: 'done' })
  t.match(await ask(7, '2001:db8:9::1'), { kind: 'refused', status: 429 }, 'the domain')
  t.equal(service.counters.overBudget, 2)
})

t.test('more than may wait is refused at once', async (t) => {
  const scene = new Scene(t)
  const service = await scene.service({ limits: { maxWaiting: 2 } })
  const outcomes = await Promise.all([1, 2, 3, 4, 5, 6].map((width) => service.render(scene.job(width), ASKER)))
  const refused = outcomes.filter((outcome) => outcome.kind === 'refused')
  t.equal(refused.length, 3, 'one is made, two wait')
  t.ok(refused.every((outcome) => outcome.status === 503 && outcome.retryAfterS !== undefined))
})

t.test('the disk may fail: images are made all the same', async (t) => {
  const scene = new Scene(t)
  writeFileSync(scene.directory, 'no folder')
  const service = await scene.service()
  t.match(await service.render(scene.job(20), ASKER), { kind: 'done' })
})

t.test('with a cache of nothing, nothing is kept', async (t) => {
  const scene = new Scene(t)
  const service = await scene.service({ cacheBytes: 0 })
  await service.render(scene.job(20), ASKER)
  await service.render(scene.job(20), ASKER)
  t.equal(service.counters.made, 2)
})

t.test('a file that is not what it was is never served', async (t) => {
  const scene = new Scene(t)
  const folder = new ImageFolder(
    { directory: scene.directory, maxBytes: MIB, writers: 1 },
    { runtime: systemRuntime, log: silentLog },
  )
  await folder.open()
  const random = createRandom(1)
  for (let i = 0; i < 40; i++) {
    const key = Buffer.from(random.bytes(32)).toString('hex')
    const bytes = random.bytes(1 + random.integer(500))
    await folder.keep(key, bytes)
    t.strictSame(Buffer.from((await folder.find(key))!), Buffer.from(bytes))
    const path = join(scene.directory, key.slice(0, 2), key)
    const file = readFileSync(path)
    const cut = random.chance(0.5) ? random.integer(file.length) : file.length
    if (cut === file.length || random.chance(0.5)) file[random.integer(file.length)]! ^= 1 << random.integer(8)
    writeFileSync(path, file.subarray(0, cut))
    t.equal(await folder.find(key), undefined)
  }
  t.rejects(folder.find('../../etc/passwd'), RangeError, 'no path comes of anything but a key')
})

for (const seed of seeds(2)) {
  t.test(`the folder keeps within its budget, and what was used last, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const scene = new Scene(t)
    const maxBytes = 100_000
    const folders = [1, 2].map(
      () =>
        new ImageFolder(
          { directory: scene.directory, maxBytes, writers: 2 },
          { runtime: systemRuntime, log: silentLog },
        ),
    )
    for (const folder of folders) await folder.open()
    const keys: string[] = []
    const path = (key: string) => join(scene.directory, key.slice(0, 2), key)
    for (let i = 0; i < 150; i++) {
      const key = Buffer.from(random.bytes(32)).toString('hex')
      await random.pick(folders).keep(key, random.bytes(random.integer(4000)))
      keys.push(key)
      // Written one after another, in a clock that is coarser than this loop.
      utimesSync(path(key), i + 1, i + 1)
      const sizes = keys.map((name) => statSync(path(name), { throwIfNoEntry: false })?.size ?? 0)
      const total = sizes.reduce((sum, size) => sum + size, 0)
      if (total > maxBytes) t.fail(`${total} bytes after ${i}`)
      const firstLeft = sizes.findIndex((size) => size > 0)
      if (sizes.slice(firstLeft).some((size) => size === 0)) t.fail('a later one went before an earlier one')
    }
    t.ok(statSync(path(keys.at(-1)!)).size > 0)
  })
}

t.test('leftovers of dead writers are swept, those of living ones are not', async (t) => {
  const scene = new Scene(t)
  await scene.service()
  const dead = join(scene.directory, 'incoming', '999999999-1')
  const alive = join(scene.directory, 'incoming', `${process.ppid}-1`)
  for (const file of [dead, alive]) writeFileSync(file, 'x')
  chmodSync(alive, 0o600)
  await scene.service()
  t.strictSame(readdirSync(join(scene.directory, 'incoming')), [`${process.ppid}-1`])
  rmSync(alive)
})

for (const seed of seeds(5)) {
  t.test(`memory holds no more than it may, and the last ones, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime()
    const memory = new OutcomeMemory(100_000, runtime)
    for (let i = 0; i < 500; i++) {
      const key = String(random.integer(60))
      if (random.chance(0.5)) memory.find(key)
      else {
        memory.keep(key, imageDone(random.bytes(random.integer(10_000))))
        t.ok(memory.find(key) !== undefined || i > 0)
      }
      if (memory.bytes > 100_000) t.fail(`${memory.bytes}`)
    }
    memory.keep('late', { kind: 'refused', status: 500, reason: '' }, 1000)
    t.ok(memory.find('late'))
    runtime.advance(1001)
    t.equal(memory.find('late'), undefined)
  })
}

for (const seed of seeds(5)) {
  t.test(`a budget lets through no more than burst and rate allow, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const runtime = new FakeRuntime()
    const budget = new MissBudget({ burst: 10, perSecond: 2 }, runtime)
    let taken = 0
    for (let i = 0; i < 1000; i++) {
      runtime.advance(random.integer(300))
      const waitS = budget.waitS('a')
      if (waitS === 0) {
        budget.take('a')
        taken++
      } else if (random.chance(0.05)) {
        runtime.advance(waitS * 1000)
        t.equal(budget.waitS('a'), 0, 'whoever waits as told may go on')
      }
      if (taken > 10 + (2 * runtime.monotonic()) / 1000) t.fail('too many')
    }
    t.equal(budget.waitS('b'), 0, 'others have their own')
  })
}
