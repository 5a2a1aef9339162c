import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ComponentKeeper, type ComponentKeeperOptions } from '../../../../cli/node/components/component-keeper.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import { type BlobHash, type Hostname, type Release, type Runtime, silentLog } from '../../../../core/index.ts'
import type { Built } from '../../../../edge/index.ts'
import { eventually } from '../../../support/eventually.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { FakeBlobs, FakeBuilder, filesOf, hashOf, REPORT } from './made-components.ts'

const DOMAIN = 'a.test' as Hostname
const UNFIT: Built = { kind: 'unfit', fault: { code: 'broken', message: 'it is broken', hint: 'mend it' } }

/** Timers that come when the test says so. */
class Timers {
  readonly #calls = new Set<() => void>()
  readonly runtime: Runtime = {
    ...systemRuntime,
    after: (_ms, call) => {
      this.#calls.add(call)
      return () => void this.#calls.delete(call)
    },
  }

  get waiting(): number {
    return this.#calls.size
  }

  fire(): void {
    const calls = [...this.#calls]
    this.#calls.clear()
    for (const call of calls) call()
  }
}

interface Made {
  readonly blobs: FakeBlobs
  readonly builder: FakeBuilder
  readonly timers: Timers
  readonly directory: string
  readonly wanted: Release[]
  start(options?: Partial<ComponentKeeperOptions>): Promise<ComponentKeeper>
}

function make(directory: string): Made {
  const [blobs, builder, timers] = [new FakeBlobs(), new FakeBuilder(), new Timers()]
  const wanted: Release[] = []
  const start = (options: Partial<ComponentKeeperOptions> = {}) =>
    ComponentKeeper.start({
      directory,
      budgetBytes: 1024 * 1024,
      version: '1.0.0',
      builder,
      blobs,
      wanted: () => wanted,
      onDamaged: () => {},
      runtime: timers.runtime,
      log: silentLog,
      ...options,
    })
  return { blobs, builder, timers, directory, wanted, start }
}

const releaseOf = (...components: BlobHash[]) =>
  ({ domain: DOMAIN, functions: components.map((component) => ({ path: 'a.wasm', component })) }) as unknown as Release

t.test('a component that many ask for is made ready once, and not again after a start', async (t) => {
  const { blobs, builder, start, directory } = make(t.testdir())
  const a = blobs.put('a')
  {
    await using keeper = await start()
    const asked = await Promise.all(Array.from({ length: 20 }, () => keeper.prepare(a)))
    for (const preparation of asked) t.match(preparation, { prepared: { component: a, world: 'http' } })
    t.ok(keeper.isSettled(a))
  }
  await using keeper = await start()
  t.notOk(keeper.isSettled(a), 'not before the disk was looked at')
  await keeper.want(DOMAIN, [a])
  t.ok(keeper.isSettled(a))
  t.strictSame(builder.built, ['a'])
  t.match(keeper.counts, { ready: 1, unfit: 0, built: 0 })
  await rm(join(directory), { recursive: true })
  t.match(await keeper.prepare(a), { prepared: { component: a } }, 'who deletes the folder does no harm')
})

t.test('who is asked for is in a hurry, who only may be is not', async (t) => {
  const { blobs, builder, start } = make(t.testdir())
  const [a, b] = [blobs.put('a'), blobs.put('b')]
  await using keeper = await start()
  await keeper.want(DOMAIN, [a])
  t.strictSame(builder.hurried, [])
  await Promise.all([keeper.want(DOMAIN, [a, b]), keeper.prepare(b)])
  t.ok(builder.hurried.length > 0)
  t.ok(builder.hurried.every((component) => component === b))
})

t.test('what lies damaged on the disk is made again', async (t) => {
  const { blobs, builder, start } = make(t.testdir())
  const a = blobs.put('a')
  await using keeper = await start()
  const first = await keeper.prepare(a)
  if (first === null || !('prepared' in first)) throw new Error('not ready')
  await writeFile(join(first.prepared.folder, 'glue.js'), 'evil()')
  t.strictSame(await keeper.prepare(a), first)
  t.strictSame(builder.built, ['a', 'a'])
})

t.test('what is unfit is not tried again before an upgrade', async (t) => {
  const { blobs, builder, start } = make(t.testdir())
  const a = blobs.put('a')
  builder.how = async () => UNFIT
  {
    await using keeper = await start()
    t.strictSame(await keeper.prepare(a), { fault: UNFIT.kind === 'unfit' && UNFIT.fault })
    t.match(await keeper.prepare(a), { fault: { code: 'broken' } })
    t.ok(keeper.isSettled(a), 'nobody waits for it')
  }
  {
    await using keeper = await start()
    t.match(await keeper.prepare(a), { fault: { message: 'it is broken' } })
    t.match(keeper.findFault(a), { hint: 'mend it' })
    t.equal(builder.built.length, 1)
  }
  builder.how = new FakeBuilder().how
  await using keeper = await start({ version: '1.0.1' })
  t.match(await keeper.prepare(a), { prepared: {} })
  t.equal(keeper.findFault(a), undefined)
})

t.test('the log says where a component lies that is not fit', async (t) => {
  const { blobs, builder, wanted, start } = make(t.testdir())
  const [a, b, c] = [blobs.put('a'), blobs.put('b'), blobs.put('c')]
  builder.how = async () => UNFIT
  const lines: unknown[] = []
  const note = (event: string, data?: object) => void lines.push({ event, ...data })
  await using keeper = await start({ log: { debug: note, info: note, warn: note, error: note } })
  const release = { domain: DOMAIN, functions: [{ path: 'api/a.wasm', component: a }] }
  const other = { domain: 'b.test', transforms: [{ path: 'b.wasm', component: b }], functions: release.functions }
  wanted.push(release as unknown as Release, other as unknown as Release, other as unknown as Release)
  for (const component of [a, b, c]) await keeper.prepare(component)
  const fault = { event: 'component.unfit', code: 'broken', message: 'it is broken' }
  t.strictSame(lines, [
    { ...fault, domain: DOMAIN, function: 'api/a.wasm', otherPlaces: 1, component: a },
    { ...fault, domain: 'b.test', transform: 'b.wasm', component: b },
    { ...fault, component: c },
  ])
})

t.test('what ends its process is a fault; what keeps processes from starting is none', async (t) => {
  const { blobs, builder, timers, start } = make(t.testdir())
  await using keeper = await start()
  for (const why of ['timeout', 'memory', 'died', 'nonsense'] as const) {
    const component = blobs.put(why)
    builder.how = async () => ({ kind: 'ended', why })
    t.match(await keeper.prepare(component), { fault: { code: 'too-costly' } }, why)
  }
  const a = blobs.put('a')
  builder.how = async () => ({ kind: 'ended', why: 'not-started' })
  await keeper.want(DOMAIN, [a])
  t.notOk(keeper.isSettled(a))
  builder.how = new FakeBuilder().how
  t.equal(timers.waiting, 1)
  timers.fire()
  await eventually('the next try', () => keeper.isSettled(a) || undefined)
  t.match(keeper.counts, { built: 1, refused: 4, failed: 1, unfit: 4 })
})

t.test('what nobody wants any more is not tried again', async (t) => {
  const { blobs, builder, timers, start } = make(t.testdir())
  await using keeper = await start()
  builder.how = async () => ({ kind: 'ended', why: 'not-started' })
  await keeper.want(DOMAIN, [blobs.put('a')])
  await keeper.want(DOMAIN, [])
  timers.fire()
  t.equal(timers.waiting, 0)
  t.equal(builder.built.length, 1)
})

t.test("a blob that is not here, or is not what its name says, is nobody else's fault", async (t) => {
  const { blobs, builder, start } = make(t.testdir())
  const damaged: BlobHash[] = []
  await using keeper = await start({ onDamaged: (hash) => damaged.push(hash) })
  t.equal(await keeper.prepare(hashOf('a')), null)
  blobs.here.set(hashOf('a'), 'not a')
  t.equal(await keeper.prepare(hashOf('a')), null)
  t.strictSame(damaged, [hashOf('a')])
  t.strictSame(builder.built, [])
})

t.test('what goes with its blob, and what stays', async (t) => {
  const { blobs, builder, wanted, start } = make(t.testdir())
  const [a, b, c] = [blobs.put('a'), blobs.put('b'), blobs.put('c')]
  {
    await using keeper = await start()
    for (const component of [a, b, c]) await keeper.prepare(component)
    wanted.push(releaseOf(a))
    blobs.remove(a)
    blobs.remove(b)
    await eventually('one to go', () => (keeper.counts.ready === 2 ? true : undefined))
    t.match(await keeper.prepare(a), { prepared: {} }, 'it is needed: its blob will come back')
    t.equal(await keeper.prepare(b), null)
  }
  blobs.here.delete(c)
  await using keeper = await start()
  t.equal(keeper.counts.ready, 1, 'what went while nobody looked is seen at the start')
  t.equal(builder.built.length, 3)
})

t.test('over the budget, what no served release has goes first, and what was not used for longest', async (t) => {
  const { blobs, builder, wanted, start } = make(t.testdir())
  builder.how = async (text) => ({ kind: 'ready', report: REPORT, files: filesOf(text, 1000) })
  await using keeper = await start({ budgetBytes: 2500 })
  const components = ['a', 'b', 'c', 'd', 'e'].map((text) => blobs.put(text))
  const [a, b, c, d, e] = components as [BlobHash, BlobHash, BlobHash, BlobHash, BlobHash]
  wanted.push(releaseOf(a))
  for (const component of [a, b, c]) await keeper.prepare(component)
  await keeper.prepare(b)
  await keeper.prepare(d)
  t.strictSame(
    [a, b, c, d].map((component) => keeper.isSettled(component)),
    [true, true, false, true],
  )
  wanted.push(releaseOf(b, c, d, e))
  for (const component of [c, e]) await keeper.prepare(component)
  t.equal(keeper.counts.ready, 5, 'what is served stays, whatever the budget')
  t.equal(keeper.counts.evicted, 1)
})

t.test('on a disk that is short nothing is made, and what nobody needs goes', async (t) => {
  const { blobs, builder, timers, wanted, start } = make(t.testdir())
  await using keeper = await start()
  const [a, b, c] = [blobs.put('a'), blobs.put('b'), blobs.put('c')]
  wanted.push(releaseOf(a, c))
  await keeper.prepare(a)
  await keeper.prepare(b)
  blobs.short = true
  await keeper.want(DOMAIN, [c])
  t.strictSame(builder.built, ['a', 'b'])
  t.equal(keeper.counts.ready, 1)
  t.match(await keeper.prepare(a), { prepared: {} })
  blobs.short = false
  timers.fire()
  await eventually('room', () => keeper.isSettled(c) || undefined)
})

for (const seed of seeds(40)) {
  t.test(
    `whatever fails meanwhile, what is given out is of that component, and all comes right, seed ${seed}`,
    async (t) => {
      const random = createRandom(seed)
      const { blobs, builder, timers, start } = make(t.testdir())
      const texts = ['a', 'b', 'c', 'd']
      builder.how = async (text) => {
        await Promise.resolve()
        const made: Built = { kind: 'ready', report: REPORT, files: filesOf(text) }
        const why = random.pick(['not-started', 'closed'] as const)
        return random.chance(0.6) ? made : { kind: 'ended', why }
      }
      await using keeper = await start()
      for (let i = 0; i < 60; i++) {
        const text = random.pick(texts)
        const act = random.integer(5)
        if (act === 0) blobs.remove(hashOf(text))
        else if (act === 1) blobs.put(text)
        else if (act === 2) timers.fire()
        else {
          const [preparation] = await Promise.all([
            keeper.prepare(hashOf(text)),
            keeper.want(DOMAIN, texts.map(hashOf)),
          ])
          if (preparation === null) continue
          if (!('prepared' in preparation) || preparation.prepared.component !== hashOf(text))
            t.fail(JSON.stringify(preparation))
        }
      }
      builder.how = new FakeBuilder().how
      for (const text of texts) blobs.put(text)
      await keeper.want(DOMAIN, texts.map(hashOf))
      while (timers.waiting > 0) {
        timers.fire()
        await keeper.want(DOMAIN, texts.map(hashOf))
      }
      for (const text of texts) t.match(await keeper.prepare(hashOf(text)), { prepared: { component: hashOf(text) } })
    },
  )
}
